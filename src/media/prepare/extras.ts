import type { ManifestCaptions, MediaManifest } from "@cidcast/protocols/media-manifest";
import { CID } from "multiformats/cid";
import { type AbortOptions, messageOf } from "../../core/index.ts";
import { ByteReader } from "../captions/byte-reader.ts";
import { chaptersOf, inOrder, readFileText } from "../captions/file-text.ts";
import { writeWebVtt } from "../captions/parse-text.ts";
import type { PacketReader } from "../demux/track.ts";
import { pictureSize } from "../frames.ts";
import type { OpenFile } from "../source/open-files.ts";
import { profileOf } from "../transcode/profile.ts";
import type { DecoderSpec, Packet } from "../transcode/protocol.ts";
import type { VideoTrackInfo } from "../types.ts";
import { encodeRun } from "./encode-run.ts";
import { microseconds } from "./manifest-writer.ts";
import type { TaskTools } from "./tasks.ts";
import type { PrepareContent } from "./types.ts";

/** What a manifest has beside its tracks. */
export type Extras = Pick<MediaManifest, "captions" | "chapters" | "tags" | "poster" | "storyboard">;

interface ExtrasInit {
  readonly file: OpenFile;
  readonly content: Pick<PrepareContent, "open" | "write">;
}

/** Width of the pictures of a storyboard, and of a poster at most, pixels. */
const TILE_WIDTH = 160;
const POSTER_WIDTH = 1280;
/** Pictures of a sheet, across and down. */
const COLUMNS = 10;
const ROWS = 10;
/** Pictures of a storyboard that are aimed at; they lie 1 to 10 s apart, further only where there were too many. */
const AIMED_TILES = 120;
const MAX_INTERVAL_SECONDS = 10;
const MAX_TILES = 6000;
/** Where the poster lies: a tenth into the media, not later than this. */
const POSTER_SECONDS = 30;

/** Text, poster and storyboard of a file, each a task. The same file gives the same; what cannot be made is left out. */
export async function planExtras(
  tools: TaskTools,
  init: ExtrasInit,
): Promise<{ readonly tasks: readonly (() => Promise<void>)[]; readonly made: Extras }> {
  const made: { -readonly [Name in keyof Extras]: Extras[Name] } = {};
  const attempt = (what: string, work: () => Promise<Extras | undefined>) => async (): Promise<void> => {
    try {
      Object.assign(made, await work());
    } catch (error) {
      tools.signal.throwIfAborted();
      tools.log.warn({ cid: init.file.cid, what, reason: messageOf(error) }, "left out of the manifest");
    }
  };
  const tasks = [attempt("text", () => textExtras(init, tools))];
  const pictures = await picturesOf(init.file);
  if (pictures !== undefined) {
    tasks.push(
      attempt("storyboard", () => makeStoryboard(tools, init, pictures())),
      attempt("poster", () => makePoster(tools, init, pictures())),
    );
  }
  return { tasks, made };
}

async function textExtras(
  { file, content }: ExtrasInit,
  options: AbortOptions,
): Promise<Pick<Extras, "captions" | "chapters" | "tags">> {
  await using opened = await content.open(file.cid, options);
  const reader = new ByteReader(opened, options);
  const text = await readFileText(reader);
  const captions: ManifestCaptions[] = [];
  for (const [i, track] of text.tracks.entries()) {
    const bytes = new TextEncoder().encode(writeWebVtt(inOrder(await track.cues(reader))));
    captions.push({
      id: `s${i}`,
      cid: CID.parse(await content.write(bytes, options)),
      bytes: bytes.length,
      ...(track.language !== undefined && { language: track.language.slice(0, 64) }),
      ...(track.label !== undefined && { label: track.label.slice(0, 256) }),
    });
  }
  const chapters = (await chaptersOf(text, reader)).map(({ startSeconds, title }) => ({
    start: microseconds(startSeconds),
    title: title.slice(0, 1024),
  }));
  return {
    ...(captions.length > 0 && { captions }),
    ...(chapters.length > 0 && { chapters }),
    ...(Object.keys(text.tags).length > 0 && { tags: text.tags }),
  };
}

/** A track whose pictures can be decoded. */
interface Pictures {
  readonly track: VideoTrackInfo;
  readonly decoder: DecoderSpec;
  readonly packets: PacketReader;
}

/** Where there are pictures: readers of them, one for each who reads. */
async function picturesOf(file: OpenFile): Promise<(() => Pictures) | undefined> {
  for (const track of file.info.tracks) {
    const input = file.tracks.get(track.id);
    if (track.kind !== "video" || track.verdict.mode === "unplayable" || input === undefined) continue;
    const job = profileOf(track, input)?.spec(0);
    if (job?.kind !== "video" || track.durationSeconds <= 0) continue;
    const { decoder } = job;
    return () => ({ track, decoder, packets: input.packets(() => undefined) });
  }
  return undefined;
}

async function makePoster(
  tools: TaskTools,
  { content }: ExtrasInit,
  { track, decoder, packets }: Pictures,
): Promise<Pick<Extras, "poster"> | undefined> {
  const atSeconds = Math.min(track.durationSeconds / 10, POSTER_SECONDS);
  const size = pictureSize(track, POSTER_WIDTH);
  const made: Packet[] = [];
  await encodeRun({
    ...tools,
    spec: {
      kind: "still",
      decoder,
      rotation: track.rotation,
      mirrored: track.mirrored,
      ...size,
      atUs: atSeconds * 1e6,
      format: "jpeg",
    },
    first: await packets.keyAt(atSeconds),
    packets,
    onFrames: frames => made.push(...frames),
    room: () => Promise.resolve(),
  });
  const [picture] = made;
  if (picture === undefined) return undefined;
  const cid = CID.parse(await content.write(picture.data, tools));
  const time = Math.max(0, Math.round(picture.ptsUs));
  return { poster: { cid, type: "image/jpeg", ...size, bytes: picture.data.length, time } };
}

async function makeStoryboard(
  tools: TaskTools,
  { content }: ExtrasInit,
  { track, decoder, packets }: Pictures,
): Promise<Pick<Extras, "storyboard"> | undefined> {
  const { durationSeconds } = track;
  const aimed = Math.min(MAX_INTERVAL_SECONDS, Math.ceil(durationSeconds / AIMED_TILES));
  const interval = Math.max(1, aimed, Math.ceil(durationSeconds / MAX_TILES));
  const tiles = Math.ceil(durationSeconds / interval);
  const size = pictureSize(track, TILE_WIDTH);
  const sheets: { cid: CID; bytes: number }[] = [];
  const writing: Promise<void>[] = [];
  let at = 0;
  const nextKey = async () => {
    if (at >= tiles) return undefined;
    const packet = await packets.keyAt(at * interval);
    if (packet !== undefined) at++;
    return packet;
  };
  await encodeRun({
    ...tools,
    spec: {
      kind: "sheet",
      decoder,
      rotation: track.rotation,
      mirrored: track.mirrored,
      ...size,
      columns: COLUMNS,
      rows: ROWS,
    },
    first: await nextKey(),
    packets: { next: nextKey },
    onFrames: frames => {
      for (const { data, ptsUs } of frames) {
        const kept = content.write(data, tools).then(cid => {
          sheets[ptsUs] = { cid: CID.parse(cid), bytes: data.length };
        });
        kept.catch(() => undefined);
        writing.push(kept);
      }
    },
    room: () => Promise.resolve(),
  });
  await Promise.all(writing);
  if (at === 0 || sheets.length === 0) return undefined;
  const shape = { ...size, columns: COLUMNS, rows: ROWS };
  return { storyboard: { interval: interval * 1_000_000, ...shape, count: at, sheets } };
}
