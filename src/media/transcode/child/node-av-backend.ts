import { getFFmpegInfo, Log } from "node-av/lib";
import { AV_LOG_QUIET } from "node-av/constants";
import type { Backend, Transcoder } from "./backend.ts";
import type { JobSpec, Packet } from "../protocol.ts";
import { NodeAvLadder } from "./ladder/node-av-ladder.ts";
import { NodeAvAudio } from "./node-av-audio.ts";
import { NodeAvSheet, NodeAvStill } from "./node-av-stills.ts";
import { NodeAvVideo } from "./node-av-video.ts";

/** Encodes in this process through node-av. */
export function nodeAvBackend(): Backend {
  Log.setLevel(AV_LOG_QUIET);
  return {
    name: `node-av, FFmpeg ${getFFmpegInfo().version}`,
    open: async (spec, emit) => transcoderOf(spec, emit),
  };
}

function transcoderOf(spec: JobSpec, emit: (frames: readonly Packet[]) => void): Transcoder {
  if (spec.kind === "video") return new NodeAvVideo(spec, emit);
  if (spec.kind === "audio") return new NodeAvAudio(spec, emit);
  if (spec.kind === "still") return new NodeAvStill(spec, emit);
  if (spec.kind === "sheet") return new NodeAvSheet(spec, emit);
  return new NodeAvLadder(spec, emit);
}
