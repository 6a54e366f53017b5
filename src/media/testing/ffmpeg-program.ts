import { createRequire } from "node:module";

/** Path of an ffmpeg program: the one in `FFMPEG_PATH`, or the one that comes with the tests where there is one. */
export function ffmpegProgram(): string | undefined {
  const named = process.env["FFMPEG_PATH"];
  if (named !== undefined && named !== "") return named;
  try {
    const found: unknown = createRequire(import.meta.url)("@ffmpeg-installer/ffmpeg");
    if (typeof found !== "object" || found === null || !("path" in found)) return undefined;
    return String(found.path);
  } catch {
    // It is there for common systems alone.
    return undefined;
  }
}
