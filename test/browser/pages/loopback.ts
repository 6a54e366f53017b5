import type { LoopbackResult } from "../in-page.ts";

/** Sends a canvas (H.264) and a tone (Opus) from one peer connection of the page to another until both have played. */
async function loopback(): Promise<LoopbackResult> {
  const from = new RTCPeerConnection();
  const to = new RTCPeerConnection();
  from.onicecandidate = event => void to.addIceCandidate(event.candidate ?? undefined);
  to.onicecandidate = event => void from.addIceCandidate(event.candidate ?? undefined);
  const sender = from.addTransceiver(movingPicture(), { direction: "sendonly" });
  sender.setCodecPreferences(
    RTCRtpReceiver.getCapabilities("video")?.codecs.filter(c => c.mimeType === "video/H264") ?? [],
  );
  from.addTransceiver(tone(), { direction: "sendonly" });

  const element = document.body.appendChild(document.createElement("video"));
  const stream = new MediaStream();
  element.srcObject = stream;
  to.ontrack = event => stream.addTrack(event.track);
  await from.setLocalDescription();
  await to.setRemoteDescription(from.localDescription ?? { type: "offer" });
  await to.setLocalDescription();
  await from.setRemoteDescription(to.localDescription ?? { type: "answer" });
  await element.play();

  const startSeconds = element.currentTime;
  for (;;) {
    const { video, audio } = await inbound(to);
    const framesDecoded = Number(video?.["framesDecoded"] ?? 0);
    const audioEnergy = Number(audio?.["totalAudioEnergy"] ?? 0);
    if (framesDecoded > 30 && audioEnergy > 0.01 && element.currentTime > startSeconds) {
      return { framesDecoded, audioEnergy };
    }
    await new Promise(resolve => requestAnimationFrame(resolve));
  }
}

function movingPicture(): MediaStreamTrack {
  const canvas = document.createElement("canvas");
  const paint = canvas.getContext("2d");
  let frame = 0;
  const draw = (): void => {
    if (paint) {
      paint.fillStyle = `hsl(${frame++ % 360} 80% 50%)`;
      paint.fillRect(0, 0, canvas.width, canvas.height);
    }
    requestAnimationFrame(draw);
  };
  draw();
  return firstOf(canvas.captureStream(30).getVideoTracks());
}

function tone(): MediaStreamTrack {
  const audio = new AudioContext();
  const oscillator = audio.createOscillator();
  const sink = audio.createMediaStreamDestination();
  oscillator.connect(sink);
  oscillator.start();
  return firstOf(sink.stream.getAudioTracks());
}

function firstOf(tracks: MediaStreamTrack[]): MediaStreamTrack {
  const [track] = tracks;
  if (!track) throw new Error("the browser made no track");
  return track;
}

async function inbound(pc: RTCPeerConnection): Promise<Record<string, Record<string, unknown>>> {
  const found: Record<string, Record<string, unknown>> = {};
  (await pc.getStats()).forEach((report: Record<string, unknown>) => {
    if (report["type"] === "inbound-rtp") found[String(report["kind"])] = report;
  });
  return found;
}

Object.assign(globalThis, { loopback });
