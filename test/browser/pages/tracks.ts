/** What Chromium tells of a track that arrives. */
interface ArrivingTrack {
  readonly mid: string;
  readonly kind: string;
  readonly bytesReceived: number;
  readonly framesDecoded: number;
  readonly totalAudioEnergy: number;
  readonly pliCount: number;
  /** Capture time of what is played now, ms. */
  readonly estimatedPlayoutTimestamp: number | undefined;
}

/** A track as the control channel tells of it. */
interface TrackTold {
  readonly id: string;
  readonly sent: boolean;
}

/** Room for jitter that all tracks of a session are given, milliseconds. */
const SHARED_JITTER_MS = 150;

type Message = Readonly<Record<string, unknown>>;

/** A viewer by hand: a signalling socket and a connection whose tracks are all played. */
class TracksViewer {
  readonly connection = new RTCPeerConnection();
  readonly events: Message[] = [];
  readonly #socket: WebSocket;
  readonly #waiting: { readonly type: string; readonly resolve: (message: Message) => void }[] = [];
  #id = "";

  constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.addEventListener("message", ({ data }) => this.#receive(JSON.parse(String(data)) as Message));
    this.connection.addEventListener("track", ({ track, receiver }) => {
      // The browser brings one sound and one picture together; tracks beyond that need the same room for jitter.
      receiver.jitterBufferTarget = SHARED_JITTER_MS;
      const element = document.body.appendChild(document.createElement(track.kind as "audio" | "video"));
      element.srcObject = new MediaStream([track]);
      void element.play();
    });
    this.connection.addEventListener("datachannel", ({ channel }) => {
      channel.addEventListener("message", ({ data }) =>
        this.events.push(JSON.parse(String(data)) as Message),
      );
    });
  }

  async open(cid: string): Promise<void> {
    const offer = await this.ask({ type: "offer_request", cid }, "offer");
    this.#id = String(offer["pc_id"]);
    await this.#answer(offer);
    // However long a busy machine takes, the clip does not end meanwhile.
    await this.ask({ type: "control", command: { type: "set_loop", loop: true } }, "control");
  }

  /** What the viewer was told last of its tracks, once that is as `check` wants it. */
  async told(check: (tracks: readonly TrackTold[]) => boolean): Promise<readonly TrackTold[]> {
    for (const end = performance.now() + 60_000; ; ) {
      const last = this.events.findLast(({ type }) => type === "tracks") as
        | { readonly tracks: readonly TrackTold[] }
        | undefined;
      if (last !== undefined && check(last.tracks)) return last.tracks;
      if (performance.now() > end) throw new Error(`after a minute: ${JSON.stringify(last)}`);
      await new Promise(resolve => requestAnimationFrame(resolve));
    }
  }

  /** Adds a track; resolves to the name that it has in the session. */
  async add(wanted: Message): Promise<string> {
    const offer = await this.ask({ type: "add_track", ...wanted }, "track_offer");
    await this.#answer(offer);
    return String(offer["track_id"]);
  }

  /** Sends a message about this session and waits for a reply of that type. */
  ask(message: Message, reply: string): Promise<Message> {
    const { promise, resolve } = Promise.withResolvers<Message>();
    this.#waiting.push({ type: reply, resolve });
    this.#socket.send(JSON.stringify(this.#id === "" ? message : { pc_id: this.#id, ...message }));
    return promise;
  }

  async arriving(): Promise<readonly ArrivingTrack[]> {
    const reports = [...(await this.connection.getStats()).values()] as (ArrivingTrack & { type: string })[];
    return reports.filter(report => report.type === "inbound-rtp");
  }

  /** Waits until the tracks that arrive are as `check` wants them. */
  async until(check: (tracks: readonly ArrivingTrack[]) => boolean): Promise<readonly ArrivingTrack[]> {
    for (const end = performance.now() + 60_000; ; ) {
      const tracks = await this.arriving();
      if (check(tracks)) return tracks;
      if (performance.now() > end) throw new Error(`after a minute: ${JSON.stringify(tracks)}`);
      await new Promise(resolve => requestAnimationFrame(resolve));
    }
  }

  async #answer({ sdp }: Message): Promise<void> {
    await this.connection.setRemoteDescription({ type: "offer", sdp: String(sdp) });
    const answer = await this.connection.createAnswer();
    await this.connection.setLocalDescription(answer);
    await this.ask({ type: "answer", sdp: answer.sdp, sdpType: "answer" }, "connected");
  }

  #receive(message: Message): void {
    const at = this.#waiting.findIndex(({ type }) => type === message["type"]);
    if (at >= 0) this.#waiting.splice(at, 1)[0]?.resolve(message);
    else if (message["type"] === "error") throw new Error(JSON.stringify(message));
  }
}

async function viewTracks(node: string): Promise<TracksViewer> {
  const socket = new WebSocket(`${node.replace("http", "ws")}/webrtc`);
  await new Promise(resolve => socket.addEventListener("open", resolve, { once: true }));
  return new TracksViewer(socket);
}

Object.assign(globalThis, { viewTracks });
