import { ClientError } from "../client-error.ts";
import type { ControlCommand, ControlEvent, PlaybackReport, TrackReport } from "../control-messages.ts";
import { createEmitter } from "../emitter.ts";
import { openSignalling, type SignallingClient } from "../signalling-client.ts";
import type { NodeAddress } from "../socket-url.ts";
import { STATS_TIMEOUT_MS } from "./limits.ts";
import { openPeerSession, type PeerSession } from "./peer-session.ts";
import type { RtcConfiguration, RtcConnection, RtcTrack } from "./rtc.ts";

export interface StreamInit<C extends RtcConnection = RtcConnection> {
  /** Where playing starts, seconds; default 0. */
  readonly startSeconds?: number;
  /** Only tracks of this kind; default: all. */
  readonly kind?: "video" | "audio";
  readonly loop?: boolean;
  /**
   * Makes the WebRTC connection; default: the browser's own. Programs without a browser give one of a library that has the
   * same interface, for instance `configuration => new RTCPeerConnection(configuration)` of werift.
   */
  readonly createPeerConnection?: (configuration: RtcConfiguration) => C;
  /**
   * Gets every RTP packet, where the library hands them out (`track.onReceiveRtp` of werift). `INVALID_REQUEST` where it
   * does not: a browser gives pictures and sound instead, in {@link ContentStream.tracks}.
   */
  readonly onPacket?: (packet: MediaPacket) => void;
  readonly signal?: AbortSignal;
}

/** One RTP packet of a track. */
export interface MediaPacket {
  readonly kind: "video" | "audio";
  /** The whole packet as it came, decrypted. */
  readonly rtp: Uint8Array;
}

export interface ContentStreamEvents {
  /** The node plays, stands still, waits for content, or has ended; with position and duration. */
  state: PlaybackReport;
  /** Where playing is, seconds: a few times a second while it goes on. */
  position: number;
  /** The tracks, with what happens to each on its way. */
  tracks: readonly TrackReport[];
  /** The node refused something. Playing goes on unless `close` follows. */
  error: ClientError;
  /** The stream is over without our doing. Comes once, and last. */
  close: ClientError;
}

/** Content being streamed from a node. */
export interface ContentStream<C extends RtcConnection = RtcConnection> extends Disposable {
  /** The session's id at the node. */
  readonly pcId: string;
  readonly tracks: readonly RtcTrack[];
  readonly connection: C;
  /** What the node has said last of playing. */
  readonly report: PlaybackReport | undefined;
  readonly positionSeconds: number;
  play(): void;
  pause(): void;
  seek(seconds: number): void;
  setLoop(loop: boolean): void;
  /** Levels to choose from, `auto` first; none where there is one quality. */
  readonly qualities: readonly string[];
  /** Goes over to that level at the next keyframe. */
  setQuality(level: string): void;
  /** The node's figures of this session (`connection_stats` of the signalling). `TIMEOUT` when none come. */
  stats(): Promise<Readonly<Record<string, unknown>>>;
  on<Name extends keyof ContentStreamEvents>(
    name: Name,
    listener: (event: ContentStreamEvents[Name]) => void,
  ): () => void;
  close(): void;
}

/** Streams content from a node over WebRTC. Resolves when the answer is on its way; media follows. */
export async function streamContent<C extends RtcConnection>(
  address: NodeAddress,
  cid: string,
  init: StreamInit<C> & { readonly signal: AbortSignal },
): Promise<ContentStream<C>> {
  const { signal, kind, startSeconds = 0 } = init;
  // Where no other is given, C is the browser's.
  const createPeerConnection =
    init.createPeerConnection ?? (configuration => browserConnection(configuration) as C);
  const signalling = await openSignalling({ node: address.url, token: address.token, signal });
  try {
    const session = await openPeerSession({
      signalling,
      cid,
      startSeconds,
      kind,
      createPeerConnection,
      signal,
    });
    const stream = new Stream(session, signalling, signal);
    try {
      if (init.onPacket !== undefined) handPackets(session.tracks, init.onPacket);
    } catch (error) {
      stream.close();
      throw error;
    }
    if (init.loop === true) stream.setLoop(true);
    return stream;
  } catch (error) {
    signalling.close();
    throw error;
  }
}

/** The browser's own. */
function browserConnection(configuration: RtcConfiguration): unknown {
  const Connection: unknown = Reflect.get(globalThis, "RTCPeerConnection");
  if (typeof Connection !== "function") {
    throw new ClientError("INVALID_REQUEST", "There is no WebRTC here: give createPeerConnection");
  }
  return Reflect.construct(Connection, [configuration]);
}

class Stream<C extends RtcConnection> implements ContentStream<C> {
  readonly #session: PeerSession<C>;
  readonly #signalling: SignallingClient;
  readonly #events = createEmitter<ContentStreamEvents>();
  readonly #signal: AbortSignal;
  #report: PlaybackReport | undefined;
  #positionSeconds = 0;
  #closed = false;

  constructor(session: PeerSession<C>, signalling: SignallingClient, signal: AbortSignal) {
    this.#session = session;
    this.#signalling = signalling;
    this.#signal = signal;
    session.on("control", event => this.#onControl(event));
    session.on("lost", error => this.#end(error));
    signal.addEventListener("abort", this.#onAbort, { once: true });
  }

  get pcId(): string {
    return this.#session.pcId;
  }
  get tracks(): readonly RtcTrack[] {
    return this.#session.tracks;
  }
  get connection(): C {
    return this.#session.connection;
  }
  get report(): PlaybackReport | undefined {
    return this.#report;
  }
  get positionSeconds(): number {
    return this.#positionSeconds;
  }

  play(): void {
    this.#control({ type: "resume" });
  }
  pause(): void {
    this.#control({ type: "pause" });
  }
  seek(seconds: number): void {
    this.#control({ type: "seek", positionSeconds: seconds });
  }
  setLoop(loop: boolean): void {
    this.#control({ type: "set_loop", loop });
  }

  get qualities(): readonly string[] {
    return this.#session.qualities;
  }
  setQuality(level: string): void {
    if (!this.#closed) this.#session.setQuality(level);
  }

  stats(): Promise<Readonly<Record<string, unknown>>> {
    const { promise, resolve, reject } = Promise.withResolvers<Readonly<Record<string, unknown>>>();
    const timer = setTimeout(
      () => reject(new ClientError("TIMEOUT", "The node did not tell its figures")),
      STATS_TIMEOUT_MS,
    );
    const stops = [
      this.#signalling.on("message", message => {
        if (message.type === "stats") resolve(message.connection_stats);
      }),
      this.#signalling.on("close", reject),
    ];
    this.#signalling.send({ type: "get_stats", pc_id: this.pcId });
    return promise.finally(() => {
      clearTimeout(timer);
      for (const stop of stops) stop();
    });
  }

  on<Name extends keyof ContentStreamEvents>(
    name: Name,
    listener: (event: ContentStreamEvents[Name]) => void,
  ): () => void {
    return this.#events.on(name, listener);
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#signal.removeEventListener("abort", this.#onAbort);
    this.#events.clear();
    this.#session.close();
    this.#signalling.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  readonly #onAbort = (): void => this.#end(new ClientError("ABORTED", "The stream was ended"));

  #control(command: ControlCommand): void {
    if (!this.#closed) this.#session.control(command);
  }

  #end(error: ClientError): void {
    if (this.#closed) return;
    this.#events.emit("close", error);
    this.close();
  }

  #onControl(event: ControlEvent): void {
    switch (event.type) {
      case "state":
        this.#report = event;
        this.#positionSeconds = event.positionSeconds;
        return this.#events.emit("state", event);
      case "position":
        this.#positionSeconds = event.positionSeconds;
        return this.#events.emit("position", event.positionSeconds);
      case "ended":
        this.#positionSeconds = event.positionSeconds;
        if (this.#report !== undefined) {
          this.#report = { ...this.#report, state: "ended", positionSeconds: event.positionSeconds };
          this.#events.emit("state", this.#report);
        }
        return undefined;
      case "tracks":
        return this.#events.emit("tracks", event.tracks);
      case "error":
        return this.#events.emit("error", event.error);
    }
  }
}

/** A track of a library that hands out packets. */
interface PacketTrack {
  readonly onReceiveRtp: { subscribe(listener: (packet: { serialize(): Uint8Array }) => void): unknown };
}

function handPackets(tracks: readonly RtcTrack[], onPacket: (packet: MediaPacket) => void): void {
  for (const track of tracks) {
    if (!handsPackets(track)) {
      throw new ClientError(
        "INVALID_REQUEST",
        "This WebRTC implementation hands out no packets: use the tracks, or give createPeerConnection",
      );
    }
    const kind = track.kind === "audio" ? "audio" : "video";
    track.onReceiveRtp.subscribe(packet => onPacket({ kind, rtp: packet.serialize() }));
  }
}

function handsPackets(track: RtcTrack): track is RtcTrack & PacketTrack {
  return "onReceiveRtp" in track;
}
