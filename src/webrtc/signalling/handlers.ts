import { randomUUID } from "node:crypto";
import { type ControlEventMessage, readControlCommand } from "@cidcast/protocols/media-control";
import {
  type ClientMessage,
  type ClientMessageType,
  MAX_NAMED_TRACKS,
  MAX_WAITING_OFFERS,
  qualityLevel,
  TEXTS,
} from "@cidcast/protocols/signalling";
import { CidcastError, toCidcastError } from "../../core/index.ts";
import type { SessionInit, StreamingSession } from "../types.ts";
import type { Connection } from "./connection.ts";

type Handlers = {
  readonly [T in ClientMessageType]: (
    connection: Connection,
    message: ClientMessage<T>,
  ) => Promise<void> | void;
};

/** What is done for each message of a viewer. */
export const handlers: Handlers = {
  offer_request: offer,
  answer,
  candidate,
  add_track: addTrack,
  set_track: setTrack,
  remove_track: removeTrack,
  restart_ice: restartIce,
  get_stats: getStats,
  set_quality: setQuality,
  close,
  ping: connection => connection.reply({ type: "pong", timestamp: connection.init.clock.now() / 1000 }),
  control,
  add_ipfs_track: addIpfsTrack,
  stats_request: statsRequest,
  quality_change: (connection, message) => setQuality(connection, { ...message, type: "set_quality" }),
};

async function offer(connection: Connection, message: ClientMessage<"offer_request">): Promise<void> {
  if (connection.waitingOffers >= MAX_WAITING_OFFERS) {
    throw new CidcastError("LIMIT_REACHED", `at most ${MAX_WAITING_OFFERS} offers can wait`, {
      retryAfterSeconds: 1,
    });
  }
  connection.waitingOffers++;
  try {
    await connection.inTurn(() => makeOffer(connection, message));
  } finally {
    connection.waitingOffers--;
  }
}

async function makeOffer(connection: Connection, message: ClientMessage<"offer_request">): Promise<void> {
  const { manager, authoriser, principal } = connection.init;
  const named = [...new Set((message.track_ids ?? []).flatMap(id => connection.namedTracks.get(id) ?? []))];
  const [cid, ...also] = message.cid ? [message.cid] : named;
  if (cid === undefined) {
    connection.replyError({ message: TEXTS.missingCid, code: "INVALID_REQUEST" });
    return;
  }
  connection.signal.throwIfAborted();
  for (const each of [cid, ...also]) authoriser.authorise(principal, "media:play", { cid: each });
  const trackIds = named.length === 0 ? (message.track_ids ?? []) : [];
  const quality = qualityLevel.safeParse(message.quality);
  const init: SessionInit = {
    cid,
    principal,
    owner: connection.clientId,
    address: connection.init.address,
    signal: connection.signal,
    ...(message.kind ? { kind: message.kind } : {}),
    ...(trackIds.length > 0 ? { trackIds } : {}),
    ...(also.length > 0 ? { also } : {}),
    ...(message.startSeconds ? { startSeconds: message.startSeconds } : {}),
    ...(message.replaces
      ? { replaces: { id: message.replaces.pc_id, attempt: message.replaces.attempt } }
      : {}),
    ...(message.bandwidthBps ? { bandwidthBps: message.bandwidthBps } : {}),
    ...(message.maxBitrateBps ? { maxBitrateBps: message.maxBitrateBps } : {}),
    ...(message.view ? { view: message.view } : {}),
    ...(quality.success ? { quality: quality.data } : {}),
  };
  const { session, sdp } = await manager.createOffer(init);
  if (connection.signal.aborted) {
    await session.close("the viewer left before its offer");
    return;
  }
  connection.watch(session);
  const servers = manager.iceServers(session.id);
  const ice = servers.length === 0 ? {} : { ice_servers: servers };
  const choice = session.qualities.length === 0 ? {} : { qualities: session.qualities };
  connection.reply({ type: "offer", pc_id: session.id, sdp, sdpType: "offer", ...ice, ...choice });
}

async function answer(connection: Connection, message: ClientMessage<"answer">): Promise<void> {
  const { pc_id } = message;
  try {
    await own(connection, pc_id).answer(message.sdp);
  } catch (error) {
    const { code, message: reason } = toCidcastError(error);
    connection.replyError({ message: TEXTS.answerFailed(pc_id), code, reason, pc_id });
    return;
  }
  connection.reply({ type: "connected", pc_id });
}

async function candidate(connection: Connection, message: ClientMessage<"candidate">): Promise<void> {
  // No reply, also for a session that has just ended: candidates are on their way while it does.
  const { candidate: text, sdpMid, sdpMLineIndex } = message;
  const session = connection.session(message.pc_id);
  await session
    ?.addCandidate({ candidate: text ?? "", sdpMid: sdpMid ?? null, sdpMLineIndex: sdpMLineIndex ?? null })
    .catch(() => undefined);
}

async function addTrack(connection: Connection, message: ClientMessage<"add_track">): Promise<void> {
  const { pc_id, cid } = message;
  const { authoriser, principal } = connection.init;
  try {
    const session = own(connection, pc_id);
    authoriser.authorise(principal, "media:play", { cid });
    const { trackId, sdp } = await session.addTrack({
      cid,
      kind: message.kind ?? undefined,
      trackId: message.track_id ?? undefined,
      signal: connection.signal,
    });
    connection.reply({ type: "track_offer", pc_id, sdp, sdpType: "offer", track_id: trackId });
  } catch (error) {
    const { code, message: reason } = toCidcastError(error);
    connection.replyError({ message: TEXTS.addTrackFailed(pc_id), code, reason, pc_id });
  }
}

async function setTrack(connection: Connection, message: ClientMessage<"set_track">): Promise<void> {
  await changeTrack(connection, message, async session => {
    await session.setTrack(message.track_id, message.enabled ?? true);
    return { type: "track_result", success: true };
  });
}

async function changeTrack(
  connection: Connection,
  { pc_id, track_id }: ClientMessage<"set_track" | "remove_track">,
  change: (session: StreamingSession) => Promise<{ readonly type: string; readonly success?: boolean }>,
): Promise<void> {
  const { authoriser, principal } = connection.init;
  try {
    const session = own(connection, pc_id);
    authoriser.authorise(principal, "media:control", { sessionId: pc_id });
    const { type, ...result } = await change(session);
    connection.reply({ type, pc_id, track_id, ...result });
  } catch (error) {
    const { code, message: reason } = toCidcastError(error);
    connection.reply({ type: "track_result", pc_id, track_id, success: false, code, reason });
  }
}

async function removeTrack(connection: Connection, message: ClientMessage<"remove_track">): Promise<void> {
  await changeTrack(connection, message, async session => {
    await session.removeTrack(message.track_id);
    return { type: "track_removed" };
  });
}

async function restartIce(connection: Connection, { pc_id }: ClientMessage<"restart_ice">): Promise<void> {
  try {
    const { sdp } = await own(connection, pc_id).offerRestart();
    connection.reply({ type: "restart_offer", pc_id, sdp, sdpType: "offer" });
  } catch (error) {
    const { code, message: reason } = toCidcastError(error);
    connection.replyError({ message: TEXTS.restartFailed(pc_id), code, reason, pc_id });
  }
}

async function getStats(connection: Connection, message: ClientMessage<"get_stats">): Promise<void> {
  const { manager } = connection.init;
  const { pc_id } = message;
  const connection_stats = pc_id ? await statsOf(connection, pc_id) : await allStats(connection);
  const global_metrics = message.include_global === true ? await manager.globalMetrics() : undefined;
  connection.reply({ type: "stats", connection_stats, ...(global_metrics ? { global_metrics } : {}) });
}

async function statsOf(connection: Connection, id: string): Promise<object> {
  const session = connection.session(id);
  return session === undefined ? { error: TEXTS.unknownConnection(id) } : session.stats();
}

/** Of this client's sessions: those of others are not its business. */
async function allStats(connection: Connection): Promise<object> {
  const sessions = connection.sessions();
  const stats = await Promise.all(sessions.map(session => session.stats()));
  const sum = (field: string): number => stats.reduce((total, entry) => total + Number(entry[field] ?? 0), 0);
  return {
    active_connections: sessions.length,
    total_streams: sum("streams_active"),
    total_frames_sent: sum("frames_sent"),
    total_frames_dropped: sum("frames_dropped"),
    connections: Object.fromEntries(sessions.map((session, index) => [session.id, stats[index]])),
  };
}

async function setQuality(connection: Connection, message: ClientMessage<"set_quality">): Promise<void> {
  const { pc_id, quality } = message;
  if (!pc_id || !quality) {
    connection.replyError({ message: TEXTS.missingQuality, code: "INVALID_REQUEST" });
    return;
  }
  const level = qualityLevel.safeParse(quality);
  const session = connection.session(pc_id);
  if (session !== undefined)
    connection.init.authoriser.authorise(connection.init.principal, "media:control", { sessionId: pc_id });
  const result =
    session === undefined
      ? { success: false, reason: TEXTS.unknownConnection(pc_id) }
      : level.success
        ? await session.setQuality(level.data)
        : {
            success: false,
            reason: `there is no quality ${quality}: one of ${qualityLevel.options.join(", ")}`,
          };
  connection.reply({ type: "quality_result", pc_id, quality, ...result });
}

async function close(connection: Connection, { pc_id }: ClientMessage<"close">): Promise<void> {
  if (pc_id) {
    const session = connection.session(pc_id);
    if (session !== undefined) await connection.closeSession(session);
    connection.reply({ type: "closed", pc_id });
    return;
  }
  await Promise.all(connection.sessions().map(session => connection.closeSession(session)));
  connection.reply({ type: "closed_all" });
}

async function control(connection: Connection, message: ClientMessage<"control">): Promise<void> {
  const { pc_id } = message;
  const answerWith = (event: ControlEventMessage): void =>
    connection.reply({ type: "control", pc_id, event });
  const command = readControlCommand(message.command);
  if (command.type === "error") {
    answerWith(command);
    return;
  }
  const id = command.id === undefined ? {} : { id: command.id };
  try {
    const session = own(connection, pc_id);
    connection.init.authoriser.authorise(connection.init.principal, "media:control", { sessionId: pc_id });
    const playback = await session.control(command);
    answerWith({ type: "state", ...playback, ...id });
    connection.follow(session);
  } catch (error) {
    const { code, message: text } = toCidcastError(error);
    answerWith({ type: "error", code, message: text, ...id });
  }
}

function addIpfsTrack(connection: Connection, message: ClientMessage<"add_ipfs_track">): void {
  const track_id = message.track_id ?? `track_${randomUUID()}`;
  const { cid } = message;
  if (!connection.namedTracks.has(track_id) && connection.namedTracks.size >= MAX_NAMED_TRACKS) {
    const error = `at most ${MAX_NAMED_TRACKS} tracks can be named`;
    connection.reply({
      type: "add_track_result",
      success: false,
      track_id,
      cid,
      error,
      code: "LIMIT_REACHED",
    });
    return;
  }
  connection.namedTracks.set(track_id, cid);
  connection.reply({ type: "add_track_result", success: true, track_id, cid });
}

async function statsRequest(
  connection: Connection,
  { pc_id }: ClientMessage<"stats_request">,
): Promise<void> {
  const stats = pc_id ? await statsOf(connection, pc_id) : await allStats(connection);
  const timestamp = connection.init.clock.now() / 1000;
  connection.reply({ type: "stats", pc_id: pc_id ?? null, stats, track_stats: {}, timestamp });
}

function own(connection: Connection, id: string): StreamingSession {
  const session = connection.session(id);
  if (session === undefined) throw unknown(id);
  return session;
}

function unknown(id: string): CidcastError {
  return new CidcastError("SESSION_NOT_FOUND", TEXTS.unknownConnection(id));
}
