import { ClientError, errorFromWire, toClientError } from "../client-error.ts";
import type { ControlCommand, ControlEvent } from "../control-messages.ts";
import { createEmitter } from "../emitter.ts";
import type { SignallingClient } from "../signalling-client.ts";
import { ControlLink } from "./control-link.ts";
import { CONNECTED_TIMEOUT_MS, INTERRUPTION_MS } from "./limits.ts";
import type { RtcConfiguration, RtcConnection, RtcTrack } from "./rtc.ts";
import { withOpusStereo } from "./opus-stereo.ts";

export interface PeerSessionInit<C extends RtcConnection = RtcConnection> {
  readonly signalling: SignallingClient;
  readonly cid: string;
  readonly startSeconds: number;
  /** The session whose connection was lost, and which attempt this is to go on in its place, from 1. */
  readonly replaces?: { readonly pcId: string; readonly attempt: number } | undefined;
  /** Only tracks of this kind; default: all. */
  readonly kind?: "video" | "audio" | undefined;
  /** What the path carried last time, bits per second: the first quality is chosen by it. */
  readonly bandwidthBps?: number | undefined;
  /** Size at which the picture is shown, pixels of the screen. */
  readonly view?: { readonly width: number; readonly height: number } | undefined;
  readonly createPeerConnection: (configuration: RtcConfiguration) => C;
  readonly signal: AbortSignal;
}

export interface PeerSessionEvents {
  /** What the node says about playing. */
  control: ControlEvent;
  /** `connection_stats` of the node, where they were asked for. */
  figures: Readonly<Record<string, unknown>>;
  /** The session is gone without our doing. Comes at most once. */
  lost: ClientError;
}

/** One WebRTC session with a node. */
export interface PeerSession<C extends RtcConnection = RtcConnection> {
  readonly pcId: string;
  /** Every track of the session. */
  readonly tracks: readonly RtcTrack[];
  readonly connection: C;
  /** Levels to choose from, `auto` first; none where there is one quality. */
  readonly qualities: readonly string[];
  setQuality(level: string): void;
  /** Asks the node for its figures of the session; they come as `figures`. */
  askFigures(): void;
  /** Goes on with another track of the content in the place of the one of its kind. */
  setTrack(trackId: string): void;
  control(command: ControlCommand): void;
  on<Name extends keyof PeerSessionEvents>(
    name: Name,
    listener: (event: PeerSessionEvents[Name]) => void,
  ): () => void;
  close(): void;
}

const CONFIGURATION: RtcConfiguration = { iceServers: [], bundlePolicy: "max-bundle" };

/** Asks for an offer and answers it. Resolves when the answer is on its way; media follows. */
export async function openPeerSession<C extends RtcConnection>(
  init: PeerSessionInit<C>,
): Promise<PeerSession<C>> {
  const { signalling, signal } = init;
  // Made before the offer is here: its certificate is then ready when it is needed.
  const pc = init.createPeerConnection(CONFIGURATION);
  const scope = new AbortController();
  const events = createEmitter<PeerSessionEvents>();
  const tracks: RtcTrack[] = [];
  pc.addEventListener("track", event => {
    // As little delay as the network allows: nothing here waits for a buffer to fill.
    if (event.receiver !== undefined) event.receiver.jitterBufferTarget = 0;
    tracks.push(event.track);
  });
  const link = new ControlLink({
    pc,
    signalling,
    signal: scope.signal,
    onEvent: event => events.emit("control", event),
  });

  let pcId = "";
  let qualities: readonly string[] = [];
  const close = (): void => {
    if (scope.signal.aborted) return;
    scope.abort();
    events.clear();
    pc.close();
    if (pcId !== "") signalling.closeSession(pcId);
  };
  const lose = (error: ClientError): void => {
    if (!scope.signal.aborted) events.emit("lost", error);
  };
  try {
    const offer = await signalling.requestOffer({
      cid: init.cid,
      startSeconds: init.startSeconds,
      ...(init.kind !== undefined && { kind: init.kind }),
      ...(init.replaces !== undefined && {
        replaces: { pc_id: init.replaces.pcId, attempt: init.replaces.attempt },
      }),
      ...(init.bandwidthBps !== undefined && { bandwidthBps: init.bandwidthBps }),
      ...(init.view !== undefined && { view: init.view }),
      signal,
    });
    pcId = offer.pcId;
    qualities = offer.qualities;
    if (offer.iceServers.length > 0) {
      pc.setConfiguration({ ...CONFIGURATION, iceServers: [...offer.iceServers] });
    }
    scope.signal.addEventListener(
      "abort",
      // A socket carries one session of a player, so that figures on it are of that one.
      signalling.on("message", message => {
        if (message.type === "stats") events.emit("figures", message.connection_stats);
      }),
      { once: true },
    );
    watchSignalling(signalling, pc, pcId, { lose, signal: scope.signal });
    sendCandidates(pc, signalling, pcId);
    signalling.answer(pcId, await answerOf(pc, offer.sdp));
    pc.addEventListener("connectionstatechange", () => {
      if (pc.connectionState === "connected") link.expectChannel(pcId);
    });
    watchConnection(pc, {
      lose,
      // The node has the other end of the old path still: new credentials, and playing goes on where it is.
      onInterrupted: () => signalling.send({ type: "restart_ice", pc_id: pcId }),
      signal: scope.signal,
    });
  } catch (error) {
    close();
    throw error;
  }
  if (signal.aborted) {
    close();
    throw new ClientError("ABORTED", "Opening the session was ended");
  }
  return {
    pcId,
    tracks,
    connection: pc,
    qualities,
    setQuality: quality => signalling.send({ type: "set_quality", pc_id: pcId, quality }),
    askFigures: () => signalling.send({ type: "get_stats", pc_id: pcId }),
    setTrack: trackId => signalling.send({ type: "set_track", pc_id: pcId, track_id: trackId }),
    control: command => link.send(command),
    on: (name, listener) => events.on(name, listener),
    close,
  };
}

/** Applies an offer; resolves to the answer. */
async function answerOf(pc: RtcConnection, offerSdp: string): Promise<string> {
  await pc.setRemoteDescription({ type: "offer", sdp: offerSdp });
  const answer = await pc.createAnswer();
  const sdp = withOpusStereo(answer.sdp ?? "");
  await pc.setLocalDescription({ type: "answer", sdp });
  return sdp;
}

function watchSignalling(
  signalling: SignallingClient,
  pc: RtcConnection,
  pcId: string,
  { lose, signal }: { lose: (error: ClientError) => void; signal: AbortSignal },
): void {
  const stops = [
    signalling.on("message", message => {
      if (message.type === "candidate" && (message.pc_id === undefined || message.pc_id === pcId)) {
        const { candidate, sdpMid = null, sdpMLineIndex = null } = message;
        // A candidate that cannot be used leaves the others: the connection's own state tells whether one was enough.
        pc.addIceCandidate({ candidate, sdpMid, sdpMLineIndex }).catch(() => undefined);
      }
      if (message.type === "restart_offer" && message.pc_id === pcId) {
        answerOf(pc, message.sdp).then(
          sdp => signalling.answer(pcId, sdp),
          (error: unknown) => lose(toClientError(error)),
        );
      }
      if (message.type === "closed" && message.pc_id === pcId) {
        lose(new ClientError("SESSION_NOT_FOUND", message.reason ?? "The node has closed the session"));
      }
      if (message.type === "error" && message.pc_id === pcId) {
        const error = errorFromWire(message.code, message.message);
        // An answer that crossed with another change of the connection: a fresh one has neither.
        lose(error.code === "CONFLICT" ? new ClientError("PEER_UNREACHABLE", error.message) : error);
      }
    }),
    signalling.on("close", lose),
  ];
  signal.addEventListener("abort", () => stops.forEach(stop => stop()), { once: true });
}

function sendCandidates(pc: RtcConnection, signalling: SignallingClient, pcId: string): void {
  pc.addEventListener("icecandidate", ({ candidate }) => {
    if (!candidate) return;
    const { sdpMid = null, sdpMLineIndex = null } = candidate;
    signalling.candidate(pcId, { candidate: candidate.candidate, sdpMid, sdpMLineIndex });
  });
}

interface Watch {
  readonly lose: (error: ClientError) => void;
  /** Nothing comes at the moment. */
  readonly onInterrupted: () => void;
  readonly signal: AbortSignal;
}

function watchConnection(pc: RtcConnection, { lose, onInterrupted, signal }: Watch): void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const expect = (ms: number, message: string): void => {
    clearTimeout(timer);
    timer = setTimeout(() => lose(new ClientError("TIMEOUT", message)), ms);
  };
  const check = (): void => {
    if (pc.connectionState === "connected") clearTimeout(timer);
    else if (pc.connectionState === "failed") {
      lose(new ClientError("PEER_UNREACHABLE", "The media connection to the node failed"));
    } else if (pc.connectionState === "disconnected") {
      onInterrupted();
      expect(INTERRUPTION_MS, "The media connection to the node was interrupted");
    }
  };
  expect(CONNECTED_TIMEOUT_MS, "The media connection to the node did not come to be");
  check();
  pc.addEventListener("connectionstatechange", check);
  signal.addEventListener(
    "abort",
    () => {
      clearTimeout(timer);
      pc.removeEventListener("connectionstatechange", check);
    },
    { once: true },
  );
}
