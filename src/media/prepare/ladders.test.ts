import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { decode, encode } from "@ipld/dag-cbor";
import { generateKeyPair, publicKeyFromProtobuf, publicKeyToProtobuf } from "@libp2p/crypto/keys";
import { peerIdFromPublicKey } from "@libp2p/peer-id";
import { CID } from "multiformats/cid";
import { identity } from "multiformats/hashes/identity";
import { sha256 } from "multiformats/hashes/sha2";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { contentMigrations, createContent, type ContentService } from "../../content/index.ts";
import { EventBus, noMetrics, silentLogger, systemClock } from "../../core/index.ts";
import { type Database, openDatabase } from "../../store/index.ts";
import { createMedia } from "../media.ts";
import { shownFrames } from "../testing/decode.ts";
import { allSegments } from "../testing/harness.ts";
import { sample } from "../testing/memory-content.ts";
import { findEncoder } from "../transcode/encoder.ts";
import type { ManifestTrust } from "./manifest-trust.ts";
import { mediaMigrations } from "./migrations.ts";
import { createPrepare } from "./prepare.ts";

const hasEncoder = findEncoder({}).kind === "node-av";

describe.skipIf(!hasEncoder)("a prepared ladder", () => {
  let directory: string;
  let database: Database;
  let content: ContentService;
  let media: ReturnType<ReturnType<typeof createMedia>>;
  let prepare: ReturnType<ReturnType<typeof createPrepare>>;
  let source: string;
  let root: string;
  let signature: string;
  const signers: string[] = [];
  const trust: ManifestTrust = {
    signers,
    signerOf: async ({ bytes, publicKey, signature: bySigner }) => {
      try {
        const signing = publicKeyFromProtobuf(publicKey);
        return (await signing.verify(bytes, bySigner)) ? peerIdFromPublicKey(signing).toString() : undefined;
      } catch {
        return undefined;
      }
    },
  };
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), "cidcast-ladders-"));
    const migrations = [...contentMigrations, ...mediaMigrations];
    const key = await generateKeyPair("Ed25519");
    database = await openDatabase({ file: ":memory:", migrations });
    const shared = { log: silentLogger, metrics: noMetrics, clock: systemClock };
    content = createContent({ directory })({ ...shared, database, events: new EventBus(silentLogger) });
    await content.start();
    prepare = createPrepare({ workers: 2 })({
      ...shared,
      signer: {
        sign: async bytes => ({
          publicKey: publicKeyToProtobuf(key.publicKey),
          signature: await key.sign(bytes),
        }),
      },
      database,
      content,
      events: new EventBus(silentLogger),
    });
    await prepare.start();
    media = createMedia({ warmEncoders: 0 })({
      ...shared,
      content,
      events: new EventBus(silentLogger),
      manifestOf: cid => prepare.rootOf(cid),
      trust,
    });
    const clip = sample("sample-720p.mp4");
    const add = async function* () {
      yield clip;
    };
    ({ cid: source } = await content.add(add(), { name: "sample-720p.mp4" }));
    const { id } = await prepare.submit(source, { presets: ["very_low", "low"] });
    const job = await prepare.ended(id);
    ({ root = "", signature = "" } = job.result ?? {});
  }, 120_000);
  afterAll(async () => {
    await media.stop();
    await prepare.stop();
    await content.stop();
    await database.close();
    await rm(directory, { recursive: true, force: true });
  });

  /** The signature with something changed: as a CID that carries it. */
  function signatureWith(change: Record<string, unknown>): string {
    const value = decode<Record<string, unknown>>(CID.parse(signature).multihash.digest);
    return CID.createV1(0x71, identity.digest(encode({ ...value, ...change }))).toString();
  }

  test("plays by its signature, which is proven", async () => {
    await using played = await media.open(signature);
    expect(played.info.tracks.map(track => track.id)).toEqual(["v0", "a0"]);
    expect((await media.probe(signature)).container).toBe("media manifest");
  });

  test.each([
    [
      "another manifest",
      { manifest: CID.parse("bafyreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku") },
      "not of the key",
    ],
    ["another signature", { signature: new Uint8Array(64) }, "not of the key"],
    ["no key", { publicKey: new Uint8Array(3) }, "not of the key"],
    ["no signature at all", { signature: "words" }, "carries no signature"],
  ])("is refused with a signature that has %s", async (_what, change, why) => {
    await expect(media.open(signatureWith(change))).rejects.toMatchObject({
      code: "SIGNATURE_REFUSED",
      message: expect.stringContaining(why),
    });
  });

  test("is refused where only others are trusted, or without a signature where somebody is", async () => {
    const { publicKey } = decode<{ publicKey: Uint8Array }>(CID.parse(signature).multihash.digest);
    signers.push("12D3KooWOther");
    await expect(media.open(signature)).rejects.toMatchObject({
      code: "SIGNATURE_REFUSED",
      message: expect.stringContaining("not among the trusted"),
    });
    await expect(media.open(root)).rejects.toMatchObject({
      message: expect.stringContaining("is not signed"),
    });
    // What was made here is this node's own.
    await (await media.open(source)).close();
    signers.push(peerIdFromPublicKey(publicKeyFromProtobuf(publicKey)).toString());
    await (await media.open(signature)).close();
    signers.length = 0;
  });

  /** A block like another one, changed; gives its CID. */
  async function forged(cid: CID, change: (value: Record<string, unknown>) => unknown): Promise<CID> {
    const bytes = encode(change(decode(await content.blocks.block(cid))));
    const made = CID.createV1(0x71, await sha256.digest(bytes));
    await content.blocks.put(made, bytes);
    return made;
  }

  /** The root with the pages of its first rendition replaced. */
  function withPages(pages: readonly CID[], segments?: number): Promise<CID> {
    return forged(CID.parse(root), value => {
      const manifest = structuredCloneOf(value);
      const rendition = manifest.tracks[0]?.renditions[0];
      if (rendition !== undefined) {
        rendition.pages = pages;
        rendition.segments = segments ?? rendition.segments;
      }
      return manifest;
    });
  }

  /** The refusal of a forged root when its first rendition is played. */
  async function refusal(forgedRoot: CID): Promise<{ code: string; message: string }> {
    const work = async (): Promise<void> => {
      await using opened = await media.open(forgedRoot.toString());
      opened.ladder?.choose("v0", "very_low");
      await allSegments(await opened.rendition("v0"));
    };
    try {
      await work();
    } catch (error) {
      return error as { code: string; message: string };
    }
    throw new Error("it was played");
  }

  test("plays by its root and by its source, and says what it holds", async () => {
    for (const cid of [root, `/ipfs/${root}`, source]) {
      await using opened = await media.open(cid);
      expect(opened.ladder?.names("v0")).toEqual(["very_low", "low", "source"]);
      expect(opened.defaultTrackIds).toEqual(["v0", "a0"]);
      const segments = await allSegments(await opened.rendition("v0"), 8);
      expect(segments[0]?.startSeconds).toBeLessThanOrEqual(8);
      expect(segments.at(-1)?.last).toBe(true);
    }
    expect(await media.probe(root)).toMatchObject({ container: "media manifest", playable: true });
  });

  test("is heard at another rate where the file itself is here", async () => {
    await using opened = await media.open(root);
    const slow = await (await opened.rendition("a0", { tempo: 0.5 })).segmentAt(0);
    const plain = await (await opened.rendition("a0")).segmentAt(0);
    const step = (times: Float64Array = new Float64Array()) => (times[9] ?? 0) - (times[8] ?? 0);
    expect(step(slow?.ptsSeconds)).toBeCloseTo(0.01, 5);
    expect(step(plain?.ptsSeconds)).toBeCloseTo(0.02, 5);
  });

  test("goes over to another rung at a keyframe, each picture once", async () => {
    await using opened = await media.open(root);
    opened.ladder?.choose("v0", "low");
    const video = await opened.rendition("v0");
    const segments = [];
    for (let segment = await video.segmentAt(0); segment !== undefined; ) {
      segments.push(segment);
      if (segments.length === 3) opened.ladder?.choose("v0", "very_low");
      if (segments.length === 6) opened.ladder?.choose("v0", "low");
      if (segments.length === 9) break;
      segment = await video.segmentAfter(segment);
    }
    expect(segments.map(segment => segment.frameCount)).toEqual([20, 20, 20, 15, 15, 15, 20, 20, 20]);
    expect(segments.map(segment => segment.startsWithKey)).not.toContain(false);
    for (const [from, rows] of [
      [0, 8],
      [3, 4],
      [6, 8],
    ] as const) {
      const shown = shownFrames(segments.slice(from, from + 3), rows);
      expect(shown.map(({ pts, shown: number }) => number - Math.round(pts * 30))).toEqual(
        shown.map(() => 0),
      );
    }
    expect(opened.ladder?.choose("v0", "huge")).toBe(false);
  });

  test("is refused with the reason when it was changed or is not whole", async () => {
    const manifest = structuredCloneOf(decode(await content.blocks.block(CID.parse(root))));
    const page = manifest.tracks[0]?.renditions[0]?.pages[0];
    if (page === undefined) throw new Error("no page");
    const pageWith = (change: (segments: Segments) => unknown): Promise<CID> =>
      forged(page, value => ({ segments: change((value as { segments: Segments }).segments) }));

    expect(await refusal(await withPages([page], 99))).toMatchObject({
      code: "CORRUPT_MEDIA",
      message: expect.stringContaining("incomplete"),
    });
    const backwards = await pageWith(segments => segments.toReversed());
    expect(await refusal(await withPages([backwards]))).toMatchObject({
      message: expect.stringContaining("overlap"),
    });
    const moved = await pageWith(segments =>
      segments.map(s => ({ ...s, gops: s.gops.map(([t, o]) => [t, o + 1]) })),
    );
    expect(await refusal(await withPages([moved]))).toMatchObject({
      message: expect.stringContaining("begin"),
    });
    const shifted = await pageWith(segments =>
      segments.map(s => ({ ...s, gops: s.gops.map(([t, o], i) => [t, i === 0 ? o : o + 1]) })),
    );
    expect(await refusal(await withPages([shifted]))).toMatchObject({
      code: "CORRUPT_MEDIA",
      message: expect.stringContaining("not what its manifest says"),
    });
    const resized = await pageWith(segments => segments.map(s => ({ ...s, bytes: s.bytes + 1 })));
    expect(await refusal(await withPages([resized]))).toMatchObject({
      message: expect.stringContaining("bytes"),
    });
    const missing = CID.createV1(0x71, await sha256.digest(Uint8Array.of(1)));
    expect(await refusal(await withPages([missing]))).toMatchObject({ code: "CONTENT_NOT_FOUND" });
    const other = await forged(CID.parse(root), value => ({ ...value, kind: "other" }));
    expect(await refusal(other)).toMatchObject({ code: "UNSUPPORTED_MEDIA" });
  });

  test("one flipped bit of a block is found by its hash", async () => {
    const bytes = Uint8Array.from(await content.blocks.block(CID.parse(root)));
    bytes[20] = (bytes[20] ?? 0) ^ 1;
    await expect(content.blocks.put(CID.parse(root), bytes)).rejects.toMatchObject({ code: "CORRUPT_BLOCK" });
  });
});

type Segments = readonly { readonly bytes: number; readonly gops: readonly [number, number][] }[];

/** A decoded manifest that may be changed; its links stay what they are. */
function structuredCloneOf(value: unknown) {
  const { tracks, ...rest } = value as {
    tracks: { renditions: { pages: readonly CID[]; segments: number }[] }[];
  };
  return {
    ...rest,
    tracks: tracks.map(track => ({
      ...track,
      renditions: track.renditions.map(rendition => ({ ...rendition })),
    })),
  };
}
