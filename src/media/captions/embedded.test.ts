import {
  BufferTarget,
  EncodedAudioPacketSource,
  EncodedPacket,
  MkvOutputFormat,
  Mp4OutputFormat,
  Output,
  TextSubtitleSource,
} from "mediabunny";
import { describe, expect, test } from "vitest";
import type { ContentFile } from "../../content/index.ts";
import { ByteReader } from "./byte-reader.ts";
import { chaptersOf, readFileText } from "./file-text.ts";

const VTT = `WEBVTT

00:00.500 --> 00:01.500
one &amp; only

00:02.000 --> 00:03.250
<i>zwei</i>
drei
`;
const TAGS = {
  title: "A film",
  artist: "Somebody",
  album: "Films",
  genre: "Drama",
  date: new Date("1999-03-01"),
};

/** A file with sound, lines of WebVTT and tags. */
async function fileWith(format: Mp4OutputFormat | MkvOutputFormat): Promise<Uint8Array> {
  const target = new BufferTarget();
  const output = new Output({ format, target });
  const sound = new EncodedAudioPacketSource("opus");
  const text = new TextSubtitleSource("webvtt");
  output.addAudioTrack(sound);
  output.addSubtitleTrack(text, { languageCode: "deu", name: "Deutsch" });
  output.setMetadataTags(TAGS);
  await output.start();
  const config = { decoderConfig: { codec: "opus", numberOfChannels: 2, sampleRate: 48_000 } };
  for (let i = 0; i < 200; i++) {
    const packet = new EncodedPacket(Uint8Array.of(0xfc, 0xff, 0xfe), "key", i * 0.02, 0.02);
    await sound.add(packet, config);
  }
  await text.add(VTT);
  await output.finalize();
  return new Uint8Array(target.buffer ?? new ArrayBuffer());
}

function reader(bytes: Uint8Array): ByteReader {
  const { size, read } = {
    size: bytes.length,
    read: async (from = 0, to = size) => bytes.subarray(from, to),
  };
  // Of a file nothing else is read.
  return new ByteReader({ size, read } as ContentFile, {});
}

describe("what files hold beside pictures and sound", () => {
  test.each([
    ["MP4", new Mp4OutputFormat(), "wvtt"],
    ["Matroska", new MkvOutputFormat(), "matroska"],
  ])("WebVTT and tags of %s", async (_name, format, kind) => {
    const file = reader(await fileWith(format));
    const { tracks, tags } = await readFileText(file);
    expect(tracks).toMatchObject([{ format: kind, language: expect.stringMatching(/^de/) }]);
    const cues = (await tracks[0]?.cues(file)) ?? [];
    expect(cues.map(({ startSeconds, endSeconds, text }) => [startSeconds, endSeconds, text])).toEqual([
      [0.5, 1.5, "one & only"],
      [2, 3.25, "zwei\ndrei"],
    ]);
    expect(tags).toMatchObject({ title: "A film", artist: "Somebody", album: "Films", genre: "Drama" });
  });

  test("chapters of Matroska, in order, without those that are hidden behind a damaged one", async () => {
    const chapter = (seconds: number, title: string): Uint8Array =>
      element("b6", element("91", number(seconds * 1e9)), element("80", element("85", Buffer.from(title))));
    const edition = element("45b9", chapter(60, "Zwei"), chapter(0, "Eins"));
    const info = element(
      "1549a966",
      element("2ad7b1", number(1_000_000)),
      element("7ba9", Buffer.from("Film")),
    );
    const file = reader(
      Buffer.concat([element("1a45dfa3"), element("18538067", info, element("1043a770", edition))]),
    );
    const text = await readFileText(file);
    expect(await chaptersOf(text, file)).toEqual([
      { startSeconds: 0, title: "Eins" },
      { startSeconds: 60, title: "Zwei" },
    ]);
    expect(text.tags).toEqual({ title: "Film" });
  });
});

/** An EBML element with a size of 8 bytes. */
function element(id: string, ...content: readonly Uint8Array[]): Uint8Array {
  const body = Buffer.concat(content);
  const size = Buffer.alloc(8);
  size.writeBigUInt64BE(BigInt(body.length) | (1n << 56n));
  return Buffer.concat([Buffer.from(id, "hex"), size, body]);
}

function number(value: number): Uint8Array {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(BigInt(value));
  return bytes;
}
