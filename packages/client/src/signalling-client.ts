import { ClientError, errorFromWire, refusalOf } from "./client-error.ts";
import { createEmitter } from "./emitter.ts";
import type { RtcIceServer } from "./streaming/rtc.ts";
import { type ServerMessage, serverMessage } from "./server-messages.ts";

/** Largest message taken from a node, characters: an offer is a few thousand. */
export const MAX_MESSAGE_CHARS = 1024 * 1024;
/** Longest wait for the socket to open, ms. */
export const CONNECT_TIMEOUT_MS = 10_000;
/** Longest wait for an offer, ms: the node may have to fetch the start of the file from a peer first. */
export const OFFER_TIMEOUT_MS = 45_000;

export interface SignallingInit {
  /** Address of the node, `http:` or `https:`; its path is kept as a prefix. */
  readonly node: string;
  /** Token, where the node wants one: it goes in the query, for browsers set no headers on sockets. */
  readonly token?: string | undefined;
  readonly signal?: AbortSignal;
}

export interface OfferRequest {
  readonly cid: string;
  readonly kind?: "video" | "audio";
  /** Where playing starts, seconds. */
  readonly startSeconds?: number;
  /** The session whose connection was lost, and which attempt this is to go on in its place. */
  readonly replaces?: { readonly pc_id: string; readonly attempt: number };
  /** What the path carried last time, bits per second: the first quality is chosen by it. */
  readonly bandwidthBps?: number;
  /** Size at which the picture is shown, pixels of the screen. */
  readonly view?: { readonly width: number; readonly height: number };
  readonly signal?: AbortSignal;
}

export interface Offer {
  readonly pcId: string;
  readonly sdp: string;
  /** STUN and TURN servers that the node has for this viewer. */
  readonly iceServers: readonly RtcIceServer[];
  /** Levels to choose from, `auto` first; none where there is one quality. */
  readonly qualities: readonly string[];
}

/** A trickled candidate as in `RTCIceCandidateInit`. */
export interface Candidate {
  readonly candidate: string;
  readonly sdpMid: string | null;
  readonly sdpMLineIndex: number | null;
}

export interface SignallingEvents {
  /** Any message of the node that concerns a session. */
  message: ServerMessage;
  /** The socket is gone, whoever closed it. Comes once, and last. */
  close: ClientError;
}

/** One signalling socket to a node. */
export interface SignallingClient {
  readonly open: boolean;
  /** Asks for a session. One request at a time is on its way; later ones wait their turn. */
  requestOffer(request: OfferRequest): Promise<Offer>;
  answer(pcId: string, sdp: string): void;
  candidate(pcId: string, candidate: Candidate): void;
  /** Sends any message of the protocol. Dropped when the socket is closed: `close` has said so. */
  send(message: Readonly<Record<string, unknown>>): void;
  closeSession(pcId: string): void;
  on<Name extends keyof SignallingEvents>(
    name: Name,
    listener: (event: SignallingEvents[Name]) => void,
  ): () => void;
  close(): void;
}

/** Address of the signalling socket of a node. */
export function signallingUrl(node: string, token?: string): string {
  const url = new URL(node);
  url.protocol = url.protocol === "https:" || url.protocol === "wss:" ? "wss:" : "ws:";
  url.pathname = `${url.pathname.replace(/\/+$/, "")}/webrtc`;
  url.hash = "";
  if (token !== undefined) url.searchParams.set("token", token);
  return url.href;
}

/** Opens a signalling socket. Throws `NODE_UNREACHABLE` when none comes to be, `ABORTED` by the signal. */
export async function openSignalling(init: SignallingInit): Promise<SignallingClient> {
  const socket = new WebSocket(signallingUrl(init.node, init.token));
  const events = createEmitter<SignallingEvents>();
  let turn: Promise<unknown> = Promise.resolve();

  const send = (message: Readonly<Record<string, unknown>>): void => {
    if (socket.readyState === WebSocket.OPEN) socket.send(JSON.stringify(message));
  };
  await opened(socket, init.signal);
  socket.addEventListener("message", event => {
    const data: unknown = event.data;
    if (typeof data !== "string" || data.length > MAX_MESSAGE_CHARS) return;
    const known = serverMessage.safeParse(parseJson(data));
    if (known.success) events.emit("message", known.data);
  });
  socket.addEventListener(
    "close",
    event => {
      const lost = new ClientError("NODE_UNREACHABLE", "The signalling socket of the node was closed");
      events.emit("close", refusalOf(event) ?? lost);
      events.clear();
    },
    { once: true },
  );

  return {
    get open() {
      return socket.readyState === WebSocket.OPEN;
    },
    requestOffer(request) {
      const mine = turn.then(() => waitForOffer(request, events, socket, send));
      turn = mine.catch(() => undefined);
      return mine;
    },
    answer(pcId, sdp) {
      send({ type: "answer", pc_id: pcId, sdp, sdpType: "answer" });
    },
    candidate(pcId, candidate) {
      send({ type: "candidate", pc_id: pcId, ...candidate });
    },
    send,
    closeSession(pcId) {
      send({ type: "close", pc_id: pcId });
    },
    on: (name, listener) => events.on(name, listener),
    close() {
      socket.close();
    },
  };
}

type Events = ReturnType<typeof createEmitter<SignallingEvents>>;

async function waitForOffer(
  request: OfferRequest,
  events: Events,
  socket: WebSocket,
  send: SignallingClient["send"],
): Promise<Offer> {
  const { signal, ...fields } = request;
  if (signal?.aborted)
    throw new ClientError("ABORTED", "The request for an offer was ended", { cause: signal.reason });
  if (socket.readyState !== WebSocket.OPEN) {
    throw new ClientError("NODE_UNREACHABLE", "The signalling socket of the node is closed");
  }
  const { promise, resolve, reject } = Promise.withResolvers<Offer>();
  const timer = setTimeout(
    () => reject(new ClientError("TIMEOUT", `The node made no offer within ${OFFER_TIMEOUT_MS / 1000} s`)),
    OFFER_TIMEOUT_MS,
  );
  const abort = (): void => reject(new ClientError("ABORTED", "The request for an offer was ended"));
  signal?.addEventListener("abort", abort, { once: true });
  const stopMessages = events.on("message", message => {
    if (message.type === "offer") {
      resolve({
        pcId: message.pc_id,
        sdp: message.sdp,
        iceServers: message.ice_servers ?? [],
        qualities: message.qualities ?? [],
      });
    }
    // An error that names a session is about that one, not about this request.
    if (message.type === "error" && message.pc_id === undefined) {
      reject(errorFromWire(message.code, message.message));
    }
  });
  const stopClose = events.on("close", reject);
  try {
    send({ type: "offer_request", ...fields });
    return await promise;
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", abort);
    stopMessages();
    stopClose();
  }
}

async function opened(socket: WebSocket, signal: AbortSignal | undefined): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const unreachable = (): void =>
    reject(new ClientError("NODE_UNREACHABLE", `No node answers at ${socket.url.split("?")[0]}`));
  const abort = (): void => reject(new ClientError("ABORTED", "Connecting to the node was ended"));
  const timer = setTimeout(unreachable, CONNECT_TIMEOUT_MS);
  socket.addEventListener("open", () => resolve(), { once: true });
  socket.addEventListener("error", unreachable, { once: true });
  socket.addEventListener("close", unreachable, { once: true });
  signal?.addEventListener("abort", abort, { once: true });
  if (signal?.aborted) abort();
  try {
    await promise;
  } catch (error) {
    socket.close();
    throw error;
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", abort);
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
