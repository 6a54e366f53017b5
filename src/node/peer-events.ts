import { z } from "zod";
import { EVENTS_PROTOCOL } from "@cidcast/protocols/notifications";
import {
  type Authoriser,
  CidcastError,
  type Logger,
  type Principal,
  toCidcastError,
  withTimeout,
} from "../core/index.ts";
import type { SocketConnection, SocketHandler } from "../notify/index.ts";
import { LineCutter, type Peer, type PeerStream } from "../p2p/index.ts";
import type { PeerToken } from "./peer-principal.ts";

/** Longest line that a peer may send, bytes. */
const MAX_EVENT_LINE_BYTES = 64 * 1024;
/** Lines that may wait while the node finds out who asks. */
const MAX_WAITING_LINES = 16;
/** Streams of events that one peer may hold open. */
const MAX_EVENT_STREAMS_PER_PEER = 4;
/** Longest a peer may take to say who it is, milliseconds. */
const AUTHENTICATE_TIMEOUT_MS = 10_000;

/** The first line: who asks. */
const authenticateLine = z.object({
  action: z.literal("authenticate"),
  token: z.string().max(1024).optional(),
  tenant_id: z.string().max(256).optional(),
});

export interface PeerEventsComponents {
  readonly peer: Pick<Peer, "registerProtocolHandler">;
  readonly notifications: SocketHandler;
  readonly authenticate: (peerId: string, shown: PeerToken) => Promise<Principal>;
  /** Calls `onEnd` when the principal is one no longer. */
  readonly watch: (principal: Principal, onEnd: () => void) => () => void;
  readonly authoriser: Authoriser;
  readonly log: Logger;
}

/** Serves the notification protocol to peers, a frame a line; returns what ends it. */
export function servePeerEvents(components: PeerEventsComponents): Promise<() => Promise<void>> {
  return components.peer.registerProtocolHandler(EVENTS_PROTOCOL, stream => serve(stream, components), {
    maxInboundStreams: MAX_EVENT_STREAMS_PER_PEER,
  });
}

async function serve(stream: PeerStream, components: PeerEventsComponents): Promise<void> {
  const lines = new LineReader(stream);
  try {
    const first = await withTimeout(AUTHENTICATE_TIMEOUT_MS, "Saying who asks", () => lines.first);
    const said = authenticateLine.safeParse(parsed(first));
    if (!said.success) {
      throw new CidcastError("INVALID_REQUEST", 'The first line is {"action":"authenticate","token":"…"}');
    }
    const { token, tenant_id: tenantId } = said.data;
    const principal = await components.authenticate(stream.peerId, { token, tenantId });
    components.authoriser.authorise(principal, "events:subscribe");
    join(stream, lines, principal, components);
  } catch (error) {
    const { code, message } = toCidcastError(error);
    components.log.debug({ peer: stream.peerId, code }, "a peer gets no events");
    if (lines.open) stream.send(line(JSON.stringify({ type: "error", code, error: message })));
    await stream.close();
  }
}

/** Joins a stream to the notifications until one of them ends. */
function join(
  stream: PeerStream,
  lines: LineReader,
  principal: Principal,
  { notifications, watch, log }: PeerEventsComponents,
): void {
  let queued = 0;
  let connection: SocketConnection | undefined;
  const room = async (): Promise<void> => {
    await stream.drained();
    queued = 0;
    connection?.drained?.();
  };
  const end = async (): Promise<void> => {
    await stream.close();
  };
  const quietly = (work: Promise<void>): void => {
    work.catch((err: unknown) => log.debug({ peer: stream.peerId, err }, "a stream of events was cut off"));
  };
  connection = notifications.connect({
    principal,
    remoteAddress: stream.peerId,
    send(text) {
      if (!lines.open) return false;
      const bytes = line(text);
      const waits = queued > 0;
      if (!stream.send(bytes) || waits) {
        queued += bytes.byteLength;
        if (!waits) quietly(room());
      }
      return true;
    },
    bufferedBytes: () => queued,
    close(code, reason) {
      if (!lines.open) return;
      stream.send(line(JSON.stringify({ type: "closed", code, reason })));
      quietly(end());
    },
  });
  const connected = connection;
  const unwatch = watch(principal, () => {
    if (lines.open) stream.send(line('{"type":"closed","code":4001,"reason":"Invalid or expired token"}'));
    quietly(end());
  });
  lines.start({
    onLine: text => void connected.receive(text),
    onTooLong() {
      stream.abort(new CidcastError("PAYLOAD_TOO_LARGE", "More was sent than is read here"));
    },
    onEnd() {
      unwatch();
      void connected.close("the peer is gone");
      quietly(end());
    },
  });
}

interface LineListener {
  onLine(text: string): void;
  onTooLong(): void;
  onEnd(): void;
}

/** Cuts what comes over a stream into lines. */
class LineReader {
  /** The first line; rejects when it is too long or never comes. */
  readonly first: Promise<string>;
  open = true;
  readonly #waiting: string[] = [];
  readonly #cutter = new LineCutter(MAX_EVENT_LINE_BYTES);
  #listener: LineListener | undefined;
  #tooLong = false;

  constructor(stream: PeerStream) {
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    this.first = promise;
    // Whoever waits gets the rejection; without anybody it is no news.
    promise.catch(() => undefined);
    let isFirst = true;
    const ended = (): void => {
      if (!this.open) return;
      this.open = false;
      reject(new CidcastError("INVALID_REQUEST", "The peer ended before saying who it is"));
      this.#listener?.onEnd();
    };
    stream.consume({
      onData: chunk => {
        for (const text of this.#cutter.cut(chunk)) {
          if (isFirst) {
            isFirst = false;
            resolve(text);
          } else if (this.#listener !== undefined) this.#listener.onLine(text);
          else if (this.#waiting.push(text) > MAX_WAITING_LINES) this.#tooLong = true;
        }
        if (!this.#tooLong && !this.#cutter.tooLong) return;
        reject(new CidcastError("PAYLOAD_TOO_LARGE", "More was sent than is read here"));
        this.#listener?.onTooLong();
      },
      onEnd: ended,
      onClose: ended,
    });
  }

  start(listener: LineListener): void {
    this.#listener = listener;
    for (const text of this.#waiting.splice(0)) listener.onLine(text);
    if (this.#tooLong || this.#cutter.tooLong) listener.onTooLong();
    if (!this.open) listener.onEnd();
  }
}

function line(text: string): Uint8Array {
  return Buffer.from(`${text}\n`);
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
