import type { FirstFrame } from "../in-page.ts";

/** Longest wait for a first frame, ms. */
const GIVE_UP_MS = 30_000;

let socket: WebSocket | undefined;

/** The one signalling socket of this page. */
async function signalling(): Promise<WebSocket> {
  if (socket?.readyState === WebSocket.OPEN) return socket;
  const url = new URL("/webrtc", location.origin.replace(/^http/, "ws"));
  const opened = new WebSocket(url);
  await new Promise((resolve, reject) => {
    opened.addEventListener("open", resolve, { once: true });
    opened.addEventListener("error", () => reject(new Error("no signalling socket")), { once: true });
  });
  socket = opened;
  return opened;
}

function freshVideo(): HTMLVideoElement {
  document.querySelector("video")?.remove();
  const video = document.createElement("video");
  video.muted = true;
  video.autoplay = true;
  video.playsInline = true;
  video.width = 640;
  document.body.prepend(video);
  return video;
}

/** Time from the offer_request, on an open socket, to the first frame that is decoded and ready to be shown. */
function webrtcFirstFrame(cid: string): Promise<FirstFrame> {
  return webrtcFirst(
    cid,
    video => new Promise(resolve => void video.requestVideoFrameCallback(() => resolve())),
  );
}

/** The same to the first sound that is played, where there are no pictures. */
function webrtcFirstSound(cid: string): Promise<FirstFrame> {
  return webrtcFirst(cid, async (_video, pc) => {
    const heard = async (): Promise<boolean> => {
      const reports = [...(await pc.getStats()).values()];
      return reports.some(
        ({ type, totalSamplesReceived = 0 }) => type === "inbound-rtp" && totalSamplesReceived > 0,
      );
    };
    while (!(await heard())) await new Promise(resolve => setTimeout(resolve, 1));
  });
}

async function webrtcFirst(
  cid: string,
  first: (video: HTMLVideoElement, pc: RTCPeerConnection) => Promise<void>,
): Promise<FirstFrame> {
  const ws = await signalling();
  const video = freshVideo();
  const pc = new RTCPeerConnection({ iceServers: [], bundlePolicy: "max-bundle" });
  const marks: Record<string, number> = {};
  const stream = new MediaStream();
  video.srcObject = stream;
  const begun = performance.now();
  const mark = (name: string): void => {
    marks[name] ??= performance.now() - begun;
  };
  pc.addEventListener("track", event => {
    event.receiver.jitterBufferTarget = 0;
    stream.addTrack(event.track);
  });
  pc.addEventListener("connectionstatechange", () => mark(pc.connectionState));
  pc.addEventListener("iceconnectionstatechange", () => mark(`ice-${pc.iceConnectionState}`));
  let pcId = "";
  const shown = new Promise<void>((resolve, reject) => {
    void first(video, pc).then(resolve, reject);
    setTimeout(() => reject(new Error(`no frame: ${JSON.stringify(marks)}`)), GIVE_UP_MS);
    const listen = (event: MessageEvent): void => {
      const message = JSON.parse(String(event.data));
      if (message.type === "error") reject(new Error(`${message.code}: ${message.message}`));
      if (message.type !== "offer") return;
      mark("offer");
      pcId = message.pc_id;
      ws.removeEventListener("message", listen);
      void answer(message.sdp).catch(reject);
    };
    ws.addEventListener("message", listen);
  });
  const answer = async (sdp: string): Promise<void> => {
    await pc.setRemoteDescription({ type: "offer", sdp });
    const description = await pc.createAnswer();
    await pc.setLocalDescription(description);
    ws.send(JSON.stringify({ type: "answer", pc_id: pcId, sdp: description.sdp, sdpType: "answer" }));
    mark("answer");
  };
  ws.send(JSON.stringify({ type: "offer_request", cid }));
  try {
    await shown;
    return { elapsedMs: performance.now() - begun, marks };
  } finally {
    pc.close();
    // Its place has to be free for the next one: a small node transcodes one film at a time.
    await closed(ws, pcId);
    video.remove();
  }
}

/** Gives a session back; resolves when the node says so. */
function closed(ws: WebSocket, pcId: string): Promise<void> {
  return new Promise(resolve => {
    if (pcId === "") return resolve();
    const listen = (event: MessageEvent): void => {
      const message = JSON.parse(String(event.data));
      if (message.pc_id !== pcId || !["closed", "error"].includes(message.type)) return;
      ws.removeEventListener("message", listen);
      resolve();
    };
    ws.addEventListener("message", listen);
    ws.send(JSON.stringify({ type: "close", pc_id: pcId }));
  });
}

/** Time from setting the address of the same file in a `<video>` to its first frame. `run` keeps caches out of it. */
async function videoFirstFrame(cid: string, run: string): Promise<FirstFrame> {
  const video = freshVideo();
  video.preload = "auto";
  const begun = performance.now();
  const shown = new Promise<void>((resolve, reject) => {
    video.requestVideoFrameCallback(() => resolve());
    video.addEventListener("error", () => reject(new Error(video.error?.message ?? "the video failed")));
    setTimeout(() => reject(new Error("no frame")), GIVE_UP_MS);
  });
  video.src = `/ipfs/${cid}?filename=${run}.mp4`;
  try {
    await shown;
    return { elapsedMs: performance.now() - begun, marks: {} };
  } finally {
    video.removeAttribute("src");
    video.load();
    video.remove();
  }
}

Object.assign(globalThis, {
  firstFrame: { signalling, webrtcFirstFrame, webrtcFirstSound, videoFirstFrame },
});
