import type { StudioReply } from "../mock/mock-node.ts";

/** Stands in for the media part of a node: sends a moving picture and a tone, and obeys media control. */
interface Session {
  readonly pc: RTCPeerConnection;
  control: RTCDataChannel;
  readonly picture: { running: boolean };
  position: number;
  state: "playing" | "paused" | "ended";
  loop: boolean;
  loopRange: { startSeconds: number; endSeconds: number } | undefined;
  rate: number;
}

/** What media control asks for. */
interface Command {
  readonly type: string;
  readonly positionSeconds?: number;
  readonly loop?: boolean;
  readonly range?: Session["loopRange"];
  readonly rate?: number;
  readonly frames?: number;
  readonly id?: string;
}

const DURATION_SECONDS = 20;
const sessions = new Map<string, Session>();
/** Sessions that take no answer. */
const deaf = new Set<string>();
/** Commands that came, of all sessions. */
const commands: unknown[] = [];

async function open(id: string, cid: string, startSeconds: number): Promise<string> {
  const kinds = cid === "bafysound" ? ["audio"] : ["video", "audio"];
  const pc = new RTCPeerConnection();
  const picture = { running: true };
  if (kinds.includes("video")) {
    const sender = pc.addTransceiver(movingPicture(picture), { direction: "sendonly" });
    const all = RTCRtpSender.getCapabilities("video")?.codecs ?? [];
    sender.setCodecPreferences(all.filter(codec => codec.mimeType === "video/H264"));
  }
  if (kinds.includes("audio")) pc.addTransceiver(tone(), { direction: "sendonly" });
  const control = pc.createDataChannel(cid === "bafylate" || cid === "bafysocket" ? "other" : "control");
  const session: Session = {
    pc,
    control,
    picture,
    position: startSeconds,
    state: "playing",
    loop: false,
    loopRange: undefined,
    rate: 1,
  };
  sessions.set(id, session);
  serve(session);
  const timer = setInterval(() => advance(session, 0.1), 100);
  pc.addEventListener("connectionstatechange", () => {
    if (pc.connectionState === "closed") clearInterval(timer);
  });
  await pc.setLocalDescription();
  await new Promise<void>(resolve => {
    pc.addEventListener("icegatheringstatechange", () => {
      if (pc.iceGatheringState === "complete") resolve();
    });
  });
  return pc.localDescription?.sdp ?? "";
}

function serve(session: Session): void {
  session.control.addEventListener("open", () => {
    const verdict = { mode: "passthrough", reason: "H.264 without B-frames: sent as it is" };
    const sound = { mode: "transcode", reason: "AAC: browsers take no AAC over WebRTC, encoded to Opus" };
    say(session, {
      type: "tracks",
      durationSeconds: DURATION_SECONDS,
      tracks: [
        { id: "v0", kind: "video", codec: "h264", sent: true, verdict },
        { id: "a0", kind: "audio", codec: "aac", sent: true, verdict: sound },
      ],
    });
    sayState(session);
  });
  session.control.addEventListener("message", event => obey(session, JSON.parse(String(event.data))));
}

function advance(session: Session, seconds: number): void {
  if (session.state !== "playing") return;
  session.position += seconds * session.rate;
  const range = session.loopRange;
  if (range !== undefined && session.position >= range.endSeconds) session.position = range.startSeconds;
  if (session.position >= DURATION_SECONDS) {
    if (session.loop) session.position = 0;
    else {
      session.position = DURATION_SECONDS;
      session.state = "ended";
      say(session, { type: "ended", positionSeconds: DURATION_SECONDS });
      return sayState(session);
    }
  }
  say(session, { type: "position", positionSeconds: session.position });
}

function obey(session: Session, command: Command): void {
  commands.push(command);
  if (command.type === "pause") session.state = "paused";
  if (command.type === "resume") session.state = "playing";
  if (command.type === "seek") session.position = command.positionSeconds ?? 0;
  if (command.type === "seek" && session.state === "ended") session.state = "playing";
  if (command.type === "set_loop") {
    session.loop = command.loop ?? false;
    session.loopRange = command.range;
  }
  if (command.type === "set_rate") session.rate = command.rate ?? 1;
  if (command.type === "step") {
    session.state = "paused";
    session.position += (command.frames ?? 1) / 30;
  }
  session.picture.running = session.state === "playing";
  say(session, { ...reportOf(session), id: command.id });
}

function sayState(session: Session): void {
  say(session, reportOf(session));
}

function reportOf({ state, position, loop, loopRange, rate }: Session): object {
  const place = { positionSeconds: position, durationSeconds: DURATION_SECONDS };
  return { type: "state", state, ...place, loop, loopRange, rate, soundMuted: rate < 0.5 || rate > 2 };
}

function say(session: Session, message: object): void {
  if (session.control.readyState === "open") session.control.send(JSON.stringify(message));
}

function movingPicture(picture: { running: boolean }): MediaStreamTrack {
  const canvas = document.createElement("canvas");
  canvas.width = 640;
  canvas.height = 360;
  const paint = canvas.getContext("2d");
  let frame = 0;
  setInterval(() => {
    if (!paint || !picture.running) return;
    frame += 1;
    const gradient = paint.createLinearGradient(0, 0, 640, 360);
    gradient.addColorStop(0, `hsl(${frame % 360} 60% 30%)`);
    gradient.addColorStop(1, `hsl(${(frame + 120) % 360} 70% 55%)`);
    paint.fillStyle = gradient;
    paint.fillRect(0, 0, 640, 360);
    paint.fillStyle = "white";
    paint.font = "64px sans-serif";
    paint.fillText(String(frame), 40, 100);
  }, 33);
  return canvas.captureStream(30).getVideoTracks()[0] ?? fail();
}

function tone(): MediaStreamTrack {
  const audio = new AudioContext();
  const oscillator = audio.createOscillator();
  const sink = audio.createMediaStreamDestination();
  oscillator.connect(sink);
  oscillator.start();
  return sink.stream.getAudioTracks()[0] ?? fail();
}

function fail(): never {
  throw new Error("the browser made no track");
}

async function handle(id: string, message: Record<string, unknown>): Promise<StudioReply> {
  if (message["type"] === "offer_request") {
    const sdp = await open(id, String(message["cid"]), Number(message["startSeconds"] ?? 0));
    if (message["cid"] === "bafydeaf") deaf.add(id);
    return { type: "offer", pc_id: id, sdp, sdpType: "offer" };
  }
  const session = sessions.get(id);
  if (deaf.has(id)) return undefined;
  if (message["type"] === "answer") {
    await session?.pc.setRemoteDescription({ type: "answer", sdp: String(message["sdp"]) });
    return { type: "connected", pc_id: id };
  }
  if (message["type"] === "candidate") {
    const { candidate, sdpMid, sdpMLineIndex } = message;
    const init = { candidate, sdpMid, sdpMLineIndex } as RTCIceCandidateInit;
    await session?.pc.addIceCandidate(init).catch(() => undefined);
  }
  if (message["type"] === "control" && session) {
    obey(session, message["command"] as Parameters<typeof obey>[1]);
    const { id: name } = message["command"] as Parameters<typeof obey>[1];
    return { type: "control", pc_id: id, event: { ...reportOf(session), id: name } };
  }
  if (message["type"] === "close") {
    session?.pc.close();
    sessions.delete(id);
  }
  return undefined;
}

/** Opens the control channel of the sessions that have none yet. */
function openControl(): void {
  for (const session of sessions.values()) {
    if (session.control.label === "control") continue;
    session.control = session.pc.createDataChannel("control");
    serve(session);
  }
}

/** Says something to every viewer. */
function tell(message: object): void {
  for (const session of sessions.values()) say(session, message);
}

/** Ends every session without a word over signalling. */
function vanish(): void {
  for (const session of sessions.values()) session.pc.close();
}

Object.assign(globalThis, { studio: { handle, openControl, tell, vanish, commands } });
