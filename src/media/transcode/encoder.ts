import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";

/** What a node without an encoder tells its users. */
export const ENCODER_MISSING_HINT =
  "No encoder is installed: run `npm install node-av`, or set FFMPEG_PATH to an ffmpeg program with libx264 and libopus";

/** Which encoder the children load. */
export type EncoderChoice =
  | { readonly kind: "node-av"; readonly name: string }
  | { readonly kind: "ffmpeg"; readonly name: string; readonly path: string }
  | { readonly kind: "none"; readonly reason: string };

/** Looks for an encoder without loading one. A program that is named wins over the library. */
export function findEncoder(init: { readonly ffmpegPath?: string | undefined }): EncoderChoice {
  if (init.ffmpegPath !== undefined && init.ffmpegPath !== "") {
    return { kind: "ffmpeg", name: `ffmpeg at ${init.ffmpegPath}`, path: init.ffmpegPath };
  }
  const require = createRequire(import.meta.url);
  try {
    const entry = require.resolve("node-av");
    // The package keeps its entry in dist/; its binary is a package per platform, which the installer may have left out.
    const manifest: unknown = JSON.parse(readFileSync(join(dirname(entry), "..", "package.json"), "utf8"));
    createRequire(entry).resolve(`${binaryPackage()}/node-av.node`);
    return { kind: "node-av", name: `node-av ${versionOf(manifest)}` };
  } catch {
    return { kind: "none", reason: ENCODER_MISSING_HINT };
  }
}

function binaryPackage(): string {
  const suffix = process.platform === "win32" ? "-msvc" : "";
  return `@seydx/node-av-${process.platform}-${process.arch}${suffix}`;
}

function versionOf(manifest: unknown): string {
  if (typeof manifest !== "object" || manifest === null || !("version" in manifest)) return "";
  return String(manifest.version);
}
