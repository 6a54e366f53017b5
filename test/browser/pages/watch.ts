/** What a viewer has seen so far. */
interface Watched {
  /** When frames were shown, ms of the page's clock. */
  readonly frames: readonly number[];
  /** Heights that were shown, in order. */
  readonly heights: readonly { readonly atMs: number; readonly height: number }[];
  /** Packets of sound that came, with the time of each look. */
  readonly sound: readonly { readonly atMs: number; readonly packets: number }[];
  readonly nowMs: number;
  readonly receivedBytes: number;
  readonly freezes: number;
  readonly packetsLost: number;
  readonly decoded: number;
  readonly dropped: number;
  readonly nacks: number;
  readonly retransmitted: number;
  readonly keyframeRequests: number;
  readonly state: string;
}

interface Watching {
  readonly report: () => Promise<Watched>;
  readonly stop: () => void;
}

const LOOK_MS = 100;

/** Watches `cid` through signalling at `url` in the page's `<video>`, and keeps when each frame was shown. */
async function watch(url: string, cid: string): Promise<void> {
  const video = document.querySelector("video");
  if (video === null) throw new Error("there is no <video>");
  const pc = new RTCPeerConnection({ bundlePolicy: "max-bundle" });
  const stream = new MediaStream();
  pc.addEventListener("track", ({ track, receiver }) => {
    receiver.jitterBufferTarget = 0;
    stream.addTrack(track);
    video.srcObject = stream;
  });
  const socket = new WebSocket(url);
  await new Promise((resolve, reject) => {
    socket.addEventListener("open", resolve, { once: true });
    socket.addEventListener("error", reject, { once: true });
  });
  socket.addEventListener("message", ({ data }) => {
    const message: { type: string; pc_id: string; sdp: string } = JSON.parse(String(data));
    if (message.type !== "offer") return;
    void (async () => {
      await pc.setRemoteDescription({ type: "offer", sdp: message.sdp });
      await pc.setLocalDescription(await pc.createAnswer());
      const sdp = pc.localDescription?.sdp;
      socket.send(JSON.stringify({ type: "answer", pc_id: message.pc_id, sdp, sdpType: "answer" }));
    })();
  });
  socket.send(JSON.stringify({ type: "offer_request", cid }));

  const frames: number[] = [];
  const heights: { atMs: number; height: number }[] = [];
  const sound: { atMs: number; packets: number }[] = [];
  const onFrame: VideoFrameRequestCallback = (now, { height }) => {
    frames.push(now);
    if (heights.at(-1)?.height !== height) heights.push({ atMs: now, height });
    video.requestVideoFrameCallback(onFrame);
  };
  video.requestVideoFrameCallback(onFrame);
  const looking = setInterval(() => {
    void look().then(({ packets }) => sound.push({ atMs: performance.now(), packets }));
  }, LOOK_MS);
  async function look() {
    const figures = {
      packets: 0,
      receivedBytes: 0,
      freezes: 0,
      packetsLost: 0,
      decoded: 0,
      dropped: 0,
      nacks: 0,
      retransmitted: 0,
      keyframeRequests: 0,
    };
    for (const report of (await pc.getStats()).values()) {
      if (report.type !== "inbound-rtp") continue;
      figures.receivedBytes += report.bytesReceived;
      figures.packetsLost += report.packetsLost;
      if (report.kind === "audio") {
        figures.packets = report.packetsReceived;
        continue;
      }
      // Before the first packet the browser leaves out what it has not counted.
      figures.freezes = report.freezeCount ?? 0;
      figures.decoded = report.framesDecoded ?? 0;
      figures.dropped = report.framesDropped ?? 0;
      figures.nacks = report.nackCount ?? 0;
      figures.retransmitted = report.retransmittedPacketsReceived ?? 0;
      figures.keyframeRequests = (report.pliCount ?? 0) + (report.firCount ?? 0);
    }
    return figures;
  }
  const watching: Watching = {
    report: async () => {
      const { packets: _packets, ...figures } = await look();
      return { frames, heights, sound, nowMs: performance.now(), ...figures, state: pc.connectionState };
    },
    stop: () => {
      clearInterval(looking);
      socket.close();
      pc.close();
    },
  };
  Object.assign(globalThis, { watching });
}

Object.assign(globalThis, { watch });
