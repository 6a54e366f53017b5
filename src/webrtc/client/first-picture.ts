import { RTCPeerConnection, useH264, useOPUS } from "werift";
import WebSocket from "ws";
import { z } from "zod";
import { type AbortOptions, CidcastError, isCidcastError, messageOf, raceSignal } from "../../core/index.ts";
import { KeyframeCollector } from "./keyframe.ts";

export interface FirstPictureInit extends AbortOptions {
  /** Address of the node, `http://` or `https://`. */
  readonly url: string;
  readonly cid: string;
  readonly token?: string | undefined;
  /** Certificate to trust besides the system's, PEM. */
  readonly ca?: string | Buffer | undefined;
}

/** How far playing came, from a start. */
export interface FirstPicture {
  readonly offerMs: number;
  readonly connectedMs: number;
  readonly keyframeMs: number;
  /** A whole keyframe of H.264, Annex B. */
  readonly picture: Buffer;
}

const message = z.looseObject({
  type: z.string(),
  pc_id: z.string().optional(),
  sdp: z.string().optional(),
  code: z.string().optional(),
  message: z.string().optional(),
  candidate: z.string().optional(),
  sdpMid: z.string().optional(),
  sdpMLineIndex: z.number().optional(),
});

/** Plays content of a node as a viewer does, until the first whole keyframe has come. Rejects with what kept it from that. */
export async function receiveFirstPicture(init: FirstPictureInit): Promise<FirstPicture> {
  const scope = new AbortController();
  const pc = new RTCPeerConnection({
    iceServers: [],
    codecs: { video: [useH264()], audio: [useOPUS()] },
  });
  const socket = open(init);
  const got = Promise.withResolvers<FirstPicture>();
  got.promise.catch(() => undefined);
  try {
    play({ init, pc, socket, got });
    return await raceSignal(got.promise, init.signal);
  } finally {
    scope.abort();
    socket.terminate();
    await pc.close().catch(() => undefined);
  }
}

function open({ url, token, ca }: FirstPictureInit): WebSocket {
  return new WebSocket(`${url.replace(/^http/, "ws").replace(/\/$/, "")}/ws/webrtc`, {
    handshakeTimeout: 10_000,
    maxPayload: 1024 * 1024,
    ...(ca !== undefined && { ca }),
    ...(token !== undefined && { headers: { authorization: `Bearer ${token}` } }),
  });
}

interface Play {
  readonly init: FirstPictureInit;
  readonly pc: RTCPeerConnection;
  readonly socket: WebSocket;
  readonly got: PromiseWithResolvers<FirstPicture>;
}

function play({ init, pc, socket, got }: Play): void {
  const startedMs = performance.now();
  let [offerMs, connectedMs] = [0, 0];
  const since = (): number => performance.now() - startedMs;
  const send = (value: unknown): void => {
    if (socket.readyState === socket.OPEN) socket.send(JSON.stringify(value));
  };
  const fail = (cause: unknown): void =>
    got.reject(
      isCidcastError(cause) ? cause : new CidcastError("PEER_UNREACHABLE", messageOf(cause), { cause }),
    );
  const collector = new KeyframeCollector();
  pc.onTrack.subscribe(track => {
    if (track.kind !== "video") return;
    track.onReceiveRtp.subscribe(({ header, payload }) => {
      if (connectedMs === 0) connectedMs = since();
      const { sequenceNumber, timestamp, marker } = header;
      const picture = collector.push({ sequenceNumber, timestamp, marker, payload });
      if (picture !== undefined) got.resolve({ offerMs, connectedMs, keyframeMs: since(), picture });
    });
  });
  pc.connectionStateChange.subscribe(state => {
    if (state === "connected" && connectedMs === 0) connectedMs = since();
    if (state === "failed") fail(new CidcastError("PEER_UNREACHABLE", "ICE or DTLS to the node failed"));
  });
  let pcId = "";
  pc.onIceCandidate.subscribe(candidate => {
    if (candidate === undefined || pcId === "") return;
    const { candidate: text, sdpMid, sdpMLineIndex } = candidate;
    send({ type: "candidate", pc_id: pcId, candidate: text, sdpMid, sdpMLineIndex });
  });
  const answer = async (sdp: string): Promise<void> => {
    await pc.setRemoteDescription({ type: "offer", sdp });
    await pc.setLocalDescription(await pc.createAnswer());
    send({ type: "answer", pc_id: pcId, sdp: pc.localDescription?.sdp, sdpType: "answer" });
  };
  socket.on("open", () => send({ type: "offer_request", cid: init.cid, kind: "video" }));
  socket.on("error", fail);
  socket.on("unexpected-response", (_request, response) => {
    fail(new CidcastError("PEER_UNREACHABLE", `The signalling answers with status ${response.statusCode}`));
  });
  socket.on("close", () => fail(new CidcastError("PEER_UNREACHABLE", "The signalling socket was closed")));
  socket.on("message", data => {
    const parsed = message.safeParse(parseJson(data));
    if (!parsed.success) return;
    const told = parsed.data;
    if (told.type === "offer" && told.sdp !== undefined && told.pc_id !== undefined) {
      pcId = told.pc_id;
      offerMs = since();
      answer(told.sdp).catch(fail);
    } else if (told.type === "candidate" && told.candidate !== undefined) {
      const { candidate, sdpMid, sdpMLineIndex } = told;
      pc.addIceCandidate({
        candidate,
        ...(sdpMid !== undefined && { sdpMid }),
        ...(sdpMLineIndex !== undefined && { sdpMLineIndex }),
      }).catch(() => undefined);
    } else if (told.type === "error" || told.type === "closed") {
      fail(
        new CidcastError(
          "PEER_UNREACHABLE",
          `The node says: ${told.code ?? ""} ${told.message ?? told.type}`,
        ),
      );
    }
  });
}

function parseJson(data: WebSocket.RawData): unknown {
  try {
    return JSON.parse(Buffer.isBuffer(data) ? data.toString("utf8") : "");
  } catch {
    return undefined;
  }
}
