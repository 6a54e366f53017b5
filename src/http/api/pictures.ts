import {
  frameQuery,
  mediaParams,
  sheetParams,
  storyboardQuery,
  storyboardResult,
  type StoryboardResult,
} from "@cidcast/protocols/node-api/media";
import type { FastifyInstance, FastifyReply } from "fastify";
import { CidcastError, withTimeout } from "../../core/index.ts";
import type { Media, MediaPreviews } from "../../media/index.ts";
import { route } from "../routing/route.ts";
import type { ApiComponents } from "./types.ts";

/** Longest that a picture may take, as so many times the time that finding content may take. */
const FIND_FACTOR = 4;
/** A picture of a CID never changes. */
const FOREVER = "public, max-age=29030400, immutable";
/** What was prepared of a file may be prepared anew. */
const FOR_A_WHILE = "public, max-age=60";
/** Largest picture that is served, bytes. */
const MAX_PICTURE_BYTES = 16 * 1024 * 1024;

/** Single pictures, posters and storyboards of media. */
export function pictureRoutes(app: FastifyInstance, components: ApiComponents): void {
  const { content, limits } = components;
  const media = (): Media => {
    if (components.media !== undefined) return components.media;
    throw new CidcastError("FEATURE_DISABLED", "Media is switched off on this node");
  };
  const within = <T>(
    signal: AbortSignal,
    cid: string,
    work: (signal: AbortSignal) => Promise<T>,
  ): Promise<T> =>
    withTimeout(limits.findTimeoutMs * FIND_FACTOR, `making a picture of ${cid}`, work, { signal });
  const previews = async (cid: string, signal: AbortSignal): Promise<MediaPreviews> => {
    const found = await within(signal, cid, inner => media().previews(cid, { signal: inner }));
    if (found !== undefined) return found;
    throw new CidcastError("CONTENT_NOT_FOUND", `Nothing was prepared of ${cid} here: see /api/v0/prepare`);
  };
  const send = async (reply: FastifyReply, file: string, signal: AbortSignal): Promise<unknown> => {
    await using opened = await content.open(file, { signal });
    if (opened.size > MAX_PICTURE_BYTES) throw new CidcastError("CORRUPT_MEDIA", `${file} is no picture`);
    const bytes = await opened.read(0, opened.size, { signal });
    return reply.type("image/jpeg").header("cache-control", FOR_A_WHILE).send(bytes);
  };
  const onMedia = {
    method: "GET",
    action: "media:play",
    resource: ({ cid }: { readonly cid: string }) => ({ cid }),
  } as const;
  route(app, {
    ...onMedia,
    url: "/api/v0/frame/:cid",
    params: mediaParams,
    query: frameQuery,
    summary: "The picture that is shown at a time, as JPEG or PNG",
    handler: async ({ params: { cid }, query, signal, reply }) => {
      const { time: timeSeconds, width: maxWidth, format, track: trackId } = query;
      const frame = await within(signal, cid, inner =>
        media().frame(cid, { timeSeconds, maxWidth, format, trackId, signal: inner }),
      );
      return reply
        .type(frame.contentType)
        .header("cache-control", FOREVER)
        .header("x-cidcast-time", frame.timeSeconds.toFixed(6))
        .send(frame.bytes);
    },
  });
  route(app, {
    ...onMedia,
    url: "/api/v0/poster/:cid",
    params: mediaParams,
    summary: "The poster that was prepared, as JPEG",
    handler: async ({ params: { cid }, signal, reply }) => {
      const { poster } = await previews(cid, signal);
      if (poster === undefined) throw new CidcastError("CONTENT_NOT_FOUND", `${cid} has no poster`);
      return send(reply, poster.cid, signal);
    },
  });
  const storyboard = async (cid: string, signal: AbortSignal): Promise<StoryboardResult> => {
    const { storyboard: found } = await previews(cid, signal);
    if (found === undefined) throw new CidcastError("CONTENT_NOT_FOUND", `${cid} has no storyboard`);
    return found;
  };
  route(app, {
    ...onMedia,
    url: "/api/v0/storyboard/:cid",
    params: mediaParams,
    query: storyboardQuery,
    answer: storyboardResult,
    summary: "Small pictures for seeking: where they lie on their sheets, or as WebVTT",
    handler: async ({ params: { cid }, query: { format }, signal, reply }) => {
      const found = await storyboard(cid, signal);
      reply.header("cache-control", FOR_A_WHILE);
      return format === "json"
        ? found
        : reply.type("text/vtt; charset=utf-8").send(storyboardVtt(cid, found));
    },
  });
  route(app, {
    ...onMedia,
    url: "/api/v0/storyboard/:cid/:sheet",
    params: sheetParams,
    summary: "A sheet of small pictures, as JPEG",
    handler: async ({ params: { cid, sheet }, signal, reply }) => {
      const file = (await storyboard(cid, signal)).sheets[sheet];
      if (file === undefined) throw new CidcastError("CONTENT_NOT_FOUND", `${cid} has no sheet ${sheet}`);
      return send(reply, file, signal);
    },
  });
}

/** A cue for each picture, with its place on its sheet, as players of other makers take it. */
function storyboardVtt(cid: string, board: StoryboardResult): string {
  const { intervalSeconds, count, columns, rows, width, height } = board;
  const clock = (seconds: number): string => new Date(seconds * 1000).toISOString().slice(11, 23);
  const cues = Array.from({ length: count }, (_, i) => {
    const place = i % (columns * rows);
    const [x, y] = [(place % columns) * width, Math.floor(place / columns) * height];
    const times = `${clock(i * intervalSeconds)} --> ${clock((i + 1) * intervalSeconds)}`;
    return `${times}\n${cid}/${Math.floor(i / (columns * rows))}#xywh=${x},${y},${width},${height}\n`;
  });
  return ["WEBVTT\n", ...cues].join("\n");
}
