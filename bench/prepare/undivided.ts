// The same ladder without segments: one process that decodes once and encodes each size in one go, x264 with its own threads.
import { readFileSync } from "node:fs";
import { setPriority } from "node:os";
import {
  AV_LOG_QUIET,
  AV_PICTURE_TYPE_I,
  AV_PICTURE_TYPE_NONE,
  AV_PIX_FMT_YUV420P,
  FF_ENCODER_LIBX264,
} from "node-av/constants";
import { Codec, CodecContext, type Frame, Log, Packet as AvPacket, Rational } from "node-av/lib";
import { silentLogger } from "../../src/core/index.ts";
import { ladderOf, type PresetName } from "../../src/media/prepare/ladder.ts";
import { OpenFiles } from "../../src/media/source/open-files.ts";
import { memoryContent } from "../../src/media/testing/memory-content.ts";
import { NodeAvAudio } from "../../src/media/transcode/child/node-av-audio.ts";
import { Decoder, frameTimeUs, setOptions } from "../../src/media/transcode/child/node-av-decoder.ts";
import { PictureFitter } from "../../src/media/transcode/child/node-av-picture.ts";
import { profileOf } from "../../src/media/transcode/profile.ts";

Log.setLevel(AV_LOG_QUIET);
const [path = "", ...presets] = process.argv.slice(2);
// As low as the node's own encoders, so that both have the same share of a busy machine.
setPriority(15);
const startedMs = performance.now();
const content = memoryContent({ file: readFileSync(path) });
const files = new OpenFiles({ content, log: silentLogger, encoderMissing: () => undefined });
const { file, release } = await files.acquire("file");
let pictures = 0;
let bytes = 0;
for (const track of file.info.tracks) {
  const input = file.tracks.get(track.id);
  const job = input === undefined ? undefined : profileOf(track, input)?.spec(0);
  if (input === undefined || job === undefined) continue;
  const packets = input.packets(() => undefined);
  if (job.kind === "audio") {
    const audio = new NodeAvAudio(job, frames => {
      for (const { data } of frames) bytes += data.length;
    });
    for (let packet = await packets.first(); packet !== undefined; packet = await packets.next(packet)) {
      await audio.push([{ data: packet.data, ptsUs: packet.timestamp * 1e6, key: packet.type === "key" }]);
    }
    await audio.finish();
    audio.close();
    continue;
  }
  if (track.kind !== "video") continue;
  const decoder = new Decoder(job.decoder, "video");
  const rungs = ladderOf(track, { presets: presets as PresetName[] }).map(rung => ({
    ...rung,
    context: open(rung),
    fitter: new PictureFitter({ ...rung, rotation: job.rotation, mirrored: job.mirrored }),
    count: 0,
    gop: -1,
    slot: -1,
  }));
  const packet = new AvPacket();
  packet.alloc();
  const collect = (context: CodecContext): void => {
    while (context.receivePacketSync(packet) >= 0) {
      bytes += packet.size;
      packet.unref();
    }
  };
  const take = (frame: Frame): void => {
    const ptsUs = frameTimeUs(frame) ?? 0;
    pictures += 1;
    for (const rung of rungs) {
      const gop = Math.floor(ptsUs / 1e6);
      const most = rung.maxFramesPerSecond;
      const slot = most === 0 ? ptsUs : Math.floor(((ptsUs - gop * 1e6) * most) / 1e6 + 0.01);
      if (gop === rung.gop && slot === rung.slot) continue;
      const picture = rung.fitter.fit(frame);
      picture.pts = BigInt(rung.count++);
      picture.pictType = gop === rung.gop ? AV_PICTURE_TYPE_NONE : AV_PICTURE_TYPE_I;
      Object.assign(rung, { gop, slot });
      rung.context.sendFrameSync(picture);
      collect(rung.context);
    }
  };
  for (let next = await packets.first(); next !== undefined; next = await packets.next(next)) {
    decoder.decode({ data: next.data, ptsUs: next.timestamp * 1e6, key: next.type === "key" }, take);
  }
  decoder.decode(undefined, take);
  for (const { context } of rungs) {
    context.sendFrameSync(null);
    collect(context);
  }
}
await release();
process.stdout.write(
  `${JSON.stringify({ seconds: (performance.now() - startedMs) / 1000, pictures, bytes })}\n`,
);

function open(rung: { width: number; height: number; frameRate: number; bitrateBps: number }): CodecContext {
  const codec = Codec.findEncoderByName(FF_ENCODER_LIBX264);
  if (codec === null) throw new Error("node-av was built without x264");
  const context = new CodecContext();
  context.allocContext3(codec);
  context.width = rung.width;
  context.height = rung.height;
  context.pixelFormat = AV_PIX_FMT_YUV420P;
  const rate = Math.max(1, Math.round(rung.frameRate));
  context.timeBase = new Rational(1, rate);
  context.framerate = new Rational(rate, 1);
  context.gopSize = 1_000_000;
  context.maxBFrames = 0;
  // As many threads as x264 likes.
  context.threadCount = 0;
  setOptions(context, {
    preset: "veryfast",
    profile: "baseline",
    crf: "23",
    maxrate: String(rung.bitrateBps),
    bufsize: String(rung.bitrateBps),
    "forced-idr": "1",
    "x264-params": "repeat-headers=1:scenecut=0:open-gop=0",
  });
  context.open2Sync(codec);
  return context;
}
