import { describe, expect, test } from "vitest";
import { makeClip } from "../testing/clips.ts";
import { allSegments, testMedia } from "../testing/harness.ts";
import { findEncoder } from "../transcode/encoder.ts";
import type { MediaSource } from "../types.ts";

const hasEncoder = findEncoder({}).kind === "node-av";

const CLUSTER = Buffer.from("1f43b675", "hex");

interface Damage {
  readonly apply: (clip: Buffer, cluster: number) => void;
  /** Pictures of 60 that still play when it is the first, a middle or the last cluster. */
  readonly playing: Readonly<Record<"first" | "middle" | "last", number>>;
}

const DAMAGE: Readonly<Record<string, Damage>> = {
  "zeros from there on": {
    apply: (clip, cluster) => void clip.fill(0, cluster),
    playing: { first: 0, middle: 16, last: 48 },
  },
  "a whole id with a size that is none": {
    apply: (clip, cluster) => void clip.writeUInt8(0, cluster + CLUSTER.length),
    playing: { first: 40, middle: 44, last: 48 },
  },
  "an id that is none": {
    apply: (clip, cluster) => void clip.writeUInt8(0, cluster),
    playing: { first: 40, middle: 44, last: 48 },
  },
};

// Looking for what comes next once kept the thread for ever, where no timeout of a test is heard.
describe.skipIf(!hasEncoder)("a cluster of Matroska whose header is damaged", () => {
  const clip = makeClip({
    container: "matroska",
    muxer: { cluster_time_limit: "500" },
    video: { encoder: "libx264", options: { preset: "ultrafast" }, frames: 60, gop: 10, bFrames: 0 },
  });

  for (const [name, { apply, playing }] of Object.entries(DAMAGE)) {
    for (const which of ["first", "middle", "last"] as const) {
      test(`${name}, ${which} cluster: what lies around it plays`, async () => {
        const damaged = Buffer.from(await clip);
        const first = damaged.indexOf(CLUSTER);
        const last = damaged.lastIndexOf(CLUSTER);
        const middle = damaged.indexOf(CLUSTER, first + 1);
        expect(middle).toBeLessThan(last);
        apply(damaged, { first, middle, last }[which]);
        await using t = testMedia({ files: { damaged } });
        expect(await pictures(t.media.open("damaged"))).toBe(playing[which]);
      });
    }
  }
});

async function pictures(opening: Promise<MediaSource>): Promise<number> {
  await using source = await opening;
  const [id] = source.defaultTrackIds;
  const segments = id === undefined ? [] : await allSegments(await source.rendition(id));
  return segments.reduce((sum, segment) => sum + segment.frameCount, 0);
}
