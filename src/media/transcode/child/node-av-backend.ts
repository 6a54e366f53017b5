import { getFFmpegInfo, Log } from "node-av/lib";
import { AV_LOG_QUIET } from "node-av/constants";
import type { Backend } from "./backend.ts";
import { NodeAvAudio } from "./node-av-audio.ts";
import { NodeAvVideo } from "./node-av-video.ts";

/** Encodes in this process through node-av. */
export function nodeAvBackend(): Backend {
  Log.setLevel(AV_LOG_QUIET);
  return {
    name: `node-av, FFmpeg ${getFFmpegInfo().version}`,
    open: async (spec, emit) =>
      spec.kind === "video" ? new NodeAvVideo(spec, emit) : new NodeAvAudio(spec, emit),
  };
}
