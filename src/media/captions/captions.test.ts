import { createHash } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { contentMigrations, createContent, type ContentService } from "../../content/index.ts";
import { EventBus, noMetrics, silentLogger, systemClock } from "../../core/index.ts";
import { type Database, openDatabase } from "../../store/index.ts";
import { CAPTIONS_MAX_ATTACHED, CAPTIONS_MAX_CUES } from "../limits.ts";
import { mediaMigrations } from "../prepare/migrations.ts";
import { makeClip } from "../testing/clips.ts";
import { findEncoder } from "../transcode/encoder.ts";
import { createCaptions, type Captions } from "./captions.ts";
import { parseCaptions, writeWebVtt } from "./parse-text.ts";

const hasEncoder = findEncoder({}).kind === "node-av";
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

const VTT = `\uFEFFWEBVTT - a film

STYLE
::cue { color: red }

NOTE 00:00 --> nothing

intro
00:01.500 --> 00:00:03.000 align:start
<v Anna>Good &amp; <i>kind</i>
second line

01:00:00.000 --> 01:00:02.250
late
`;
const SRT =
  "1\r\n00:00:00,500 --> 00:00:02,000\r\n<i>Hallo</i>\r\n\r\n2\r\n00:00:02,000 --> 00:00:01,000\r\nbackwards\r\n\r\n3\r\n00:00:03,000 --> 00:00:04,000\r\n{\\an8}Oben\r\n";

describe("caption files", () => {
  test("WebVTT: cues with time, plain text, and their bytes", () => {
    const data = bytes(VTT);
    const { format, cues } = parseCaptions(data, "c");
    expect(format).toBe("webvtt");
    expect(cues.map(({ startSeconds, endSeconds, text }) => [startSeconds, endSeconds, text])).toEqual([
      [1.5, 3, "Good & kind\nsecond line"],
      [3600, 3602.25, "late"],
    ]);
    const [first] = cues;
    const own = data.subarray(first?.from, first?.to);
    expect(new TextDecoder().decode(own)).toMatch(/^intro\n00:01.500[^]*second line$/);
    expect(first?.sha256).toBe(createHash("sha256").update(own).digest("hex"));
  });

  test("SRT: comma, numbers, CRLF; a cue that ends before it begins is passed over", () => {
    const { format, cues } = parseCaptions(bytes(SRT), "c");
    expect(format).toBe("srt");
    expect(cues.map(cue => [cue.startSeconds, cue.text])).toEqual([
      [0.5, "Hallo"],
      [3, "Oben"],
    ]);
  });

  test("what is written as WebVTT reads as it was", () => {
    const { cues } = parseCaptions(bytes(VTT), "c");
    const again = parseCaptions(bytes(writeWebVtt(cues)), "c").cues;
    expect(again.map(({ startSeconds, endSeconds, text }) => ({ startSeconds, endSeconds, text }))).toEqual(
      cues.map(({ startSeconds, endSeconds, text }) => ({ startSeconds, endSeconds, text })),
    );
  });

  test("anything else is refused, never more than thrown as one of ours", () => {
    expect(() => parseCaptions(bytes("no captions"), "c")).toThrow(
      expect.objectContaining({ code: "CORRUPT_MEDIA" }),
    );
    fc.assert(
      fc.property(fc.uint8Array(), data => {
        expect(() => parseCaptions(data, "c")).toThrow(expect.objectContaining({ code: "CORRUPT_MEDIA" }));
      }),
    );
    const many = Array.from({ length: CAPTIONS_MAX_CUES + 1 }, () => "00:01.0 --> 00:02.0\nx\n");
    expect(() => parseCaptions(bytes(many.join("\n")), "c")).toThrow(
      expect.objectContaining({ code: "LIMIT_REACHED" }),
    );
  });
});

describe("captions of content", () => {
  let directory: string;
  let database: Database;
  let content: ContentService;
  let captions: Captions;
  const add = async (data: Uint8Array, name: string): Promise<string> => {
    const source = (async function* () {
      yield data;
    })();
    return (await content.add(source, { name })).cid;
  };
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), "cidcast-captions-"));
    const migrations = [...contentMigrations, ...mediaMigrations];
    database = await openDatabase({ file: join(directory, "node.db"), migrations });
    content = createContent({ directory })({
      database,
      log: silentLogger,
      metrics: noMetrics,
      events: new EventBus(silentLogger),
      clock: systemClock,
    });
    await content.start();
    captions = createCaptions({ content, database, clock: systemClock });
  });
  afterAll(async () => {
    await content?.stop();
    await database?.close();
    await rm(directory, { recursive: true, force: true });
  });

  test.skipIf(!hasEncoder).each(["mp4", "mov", "matroska"] as const)("text inside %s", async container => {
    const clip = await makeClip({
      container,
      video: { encoder: "libx264", frames: 90 },
      subtitles: ["one", "zwei <i>kursiv</i>", "drei"],
    });
    const cid = await add(clip, "film");
    const { captions: tracks } = await captions.embedded(cid);
    expect(tracks).toMatchObject([{ id: "s0", cid, format: container === "matroska" ? "matroska" : "tx3g" }]);
    const { cues } = await captions.cues(cid, "s0");
    expect(cues.map(cue => [cue.startSeconds, Number(cue.endSeconds.toFixed(3)), cue.text])).toEqual([
      [0, 0.9, "one"],
      [1, 1.9, "zwei kursiv"],
      [2, 2.9, "drei"],
    ]);
    for (const { from, to, sha256 } of cues) {
      expect(createHash("sha256").update(clip.subarray(from, to)).digest("hex")).toBe(sha256);
    }
    const some = await captions.cues(cid, "s0", { fromSeconds: 0.95, untilSeconds: 2 });
    expect(some.cues.map(cue => cue.text)).toEqual(["zwei kursiv"]);
  });

  test("files are attached, told with who attached them, and taken off", async () => {
    const [film, vtt, srt] = [
      await add(bytes("film"), "f"),
      await add(bytes(VTT), "v"),
      await add(bytes(SRT), "s"),
    ];
    const german = { language: "de", label: "Deutsch" };
    const track = await captions.attach(film, srt, "", german);
    expect(track).toEqual({ id: `x${srt}`, cid: srt, format: "srt", ...german });
    await captions.attach(film, vtt, "tenant", { language: "en" });
    expect((await captions.list(film)).captions.map(({ id }) => id)).toEqual([`x${srt}`]);
    expect((await captions.list(film, "tenant")).captions).toMatchObject([
      { cid: srt },
      { cid: vtt, language: "en" },
    ]);
    expect((await captions.list(film, "other")).captions).toMatchObject([{ cid: srt }]);
    expect((await captions.cues(film, `x${srt}`)).cues).toHaveLength(2);
    await expect(captions.cues(film, `x${vtt}`)).rejects.toMatchObject({ code: "TRACK_NOT_FOUND" });
    await expect(captions.attach(film, film)).rejects.toMatchObject({ code: "CORRUPT_MEDIA" });
    expect(await captions.detach(film, srt, "tenant")).toBe(false);
    expect(await captions.detach(film, srt)).toBe(true);
    expect((await captions.list(film)).captions).toEqual([]);
  });

  test("so many files and no more", async () => {
    const film = await add(bytes("another film"), "f");
    const attach = async (i: number): Promise<unknown> =>
      captions.attach(film, await add(bytes(`WEBVTT\n\n00:01.0 --> 00:02.0\n${i}\n`), "v"));
    for (let i = 0; i < CAPTIONS_MAX_ATTACHED; i++) await attach(i);
    await expect(attach(CAPTIONS_MAX_ATTACHED)).rejects.toMatchObject({ code: "LIMIT_REACHED" });
  });

  test.skipIf(!hasEncoder)("chapters of an MP4", async () => {
    const clip = await makeClip({
      container: "mp4",
      video: { encoder: "libx264", frames: 30 },
      chapters: [
        [0.5, "Zwei"],
        [0, "Eins"],
      ],
    });
    expect((await captions.embedded(await add(clip, "film.mp4"))).chapters).toEqual([
      { startSeconds: 0, title: "Eins" },
      { startSeconds: 0.5, title: "Zwei" },
    ]);
  });

  test("a file without text has none, and damaged ones never hang", async () => {
    expect(await captions.embedded(await add(bytes("plain text"), "t"))).toEqual({
      captions: [],
      chapters: [],
      tags: {},
    });
    for (const head of ["1a45dfa3", "0000000c6d6f6f76", "ffffffff6d6f6f76"]) {
      const cid = await add(Buffer.concat([Buffer.from(head, "hex"), Buffer.alloc(200, 0xff)]), "d");
      expect((await captions.embedded(cid)).captions).toEqual([]);
    }
  });
});
