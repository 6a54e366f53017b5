import { createHash } from "node:crypto";
import type { ContentBlock } from "@modelcontextprotocol/server";
import { z } from "zod";
import type { Content } from "../../../content/index.ts";
import { CidcastError } from "../../../core/index.ts";
import type { Captions, CaptionTrack, Frame, Media } from "../../../media/index.ts";
import type { Tenancy } from "../../../tenancy/index.ts";
import { MAX_CUES, MAX_PICTURE_WIDTH, PICTURE_WIDTH } from "../../limits.ts";
import { defineTool } from "../../server/define-tool.ts";
import type { Tool } from "../../types.ts";
import { refText } from "./content-tools.ts";
import { contentViewFor } from "./tenant-view.ts";

const READ = { readOnlyHint: true, idempotentHint: true, openWorldHint: false } as const;
const seconds = z.number().min(0).max(1e9);
const trackId = z.string().min(1).max(2048);

/** Bytes of a file, by which an answer is checked. */
const place = {
  from: z.number().int().describe("First byte in the file"),
  to: z.number().int().describe("The byte after the last"),
  sha256: z.string().describe("SHA-256 of these bytes, hex"),
};
const captionTrack = z.object({
  id: z.string(),
  cid: z.string(),
  format: z.string(),
  language: z.string().optional(),
  label: z.string().optional(),
});

export interface EvidenceComponents {
  readonly content: Content;
  readonly media: Media;
  readonly captions: Captions;
  readonly tenancy: Tenancy;
}

/** Tools that show a piece of media, and say which bytes of which CID vouch for it. */
export function evidenceTools(components: EvidenceComponents): Tool[] {
  return [frameTool(components), captionsTool(components)];
}

function frameTool({ content, media, tenancy }: EvidenceComponents): Tool {
  return defineTool({
    name: "media_frame",
    title: "Picture of a time",
    description:
      "The picture that a media file shows at a time, with its CID, exact time, and the byte range and SHA-256 of what it was decoded from",
    scopes: ["media"],
    annotations: READ,
    input: z.object({
      ref: refText,
      time_seconds: seconds.default(0),
      max_width: z.number().int().min(16).max(MAX_PICTURE_WIDTH).default(PICTURE_WIDTH),
      format: z.enum(["jpeg", "png"]).default("jpeg"),
      track: trackId.optional().describe("Id of a video track; default the first that plays"),
    }),
    output: z.object({
      cid: z.string().describe("The file that the picture is in"),
      track: z.string(),
      time_seconds: z.number().describe("When the picture is shown"),
      bytes: z
        .object(place)
        .optional()
        .describe("Encoded picture, from its keyframe on; missing where the container does not tell"),
      picture: z.object({
        mime_type: z.string(),
        width: z.number(),
        height: z.number(),
        size: z.number(),
        sha256: z.string().describe("SHA-256 of the picture as it is shown here, hex"),
      }),
    }),
    run: async ({ ref, time_seconds: timeSeconds, max_width: maxWidth, format, track }, context) => {
      const { principal, signal } = context;
      await contentViewFor(content, tenancy, principal).require(ref);
      const options = { timeSeconds, maxWidth, format, trackId: track, locate: true, signal };
      const frame = await media.frame(ref, options);
      tenancy.quotas.checkEgress(principal.tenantId, frame.bytes.length);
      tenancy.quotas.addEgress(principal.tenantId, frame.bytes.length);
      const data = Buffer.from(frame.bytes).toString("base64");
      return {
        structured: aboutFrame(frame),
        content: [{ type: "image", data, mimeType: frame.contentType }, ...linkTo(frame)],
      };
    },
  });
}

function aboutFrame(frame: Frame) {
  const { cid, trackId, timeSeconds, place, contentType, width, height, bytes } = frame;
  return {
    cid,
    track: trackId,
    time_seconds: timeSeconds,
    ...(place && { bytes: { ...place } }),
    picture: {
      mime_type: contentType,
      width,
      height,
      size: bytes.length,
      sha256: createHash("sha256").update(bytes).digest("hex"),
    },
  };
}

/** The bytes that vouch for a picture, as a resource. */
function linkTo({ cid, place }: Frame): ContentBlock[] {
  const name = `Source of the picture: ${cid}`;
  if (place === undefined) return [{ type: "resource_link", uri: `ipfs://${cid}`, name }];
  const { from, to } = place;
  const uri = `ipfs://${cid}?start=${from}&end=${to}`;
  return [{ type: "resource_link", uri, name, mimeType: "application/octet-stream", size: to - from }];
}

function captionsTool({ content, captions, tenancy }: EvidenceComponents): Tool {
  return defineTool({
    name: "media_captions",
    title: "Captions of media",
    description:
      "What is said in a media file, by its captions, each cue with its time and the CID, byte range and SHA-256 of its source; and its chapters",
    scopes: ["media"],
    annotations: READ,
    input: z.object({
      ref: refText,
      track: trackId.optional().describe("Id of captions; default the first in that language, or the first"),
      language: z.string().min(1).max(64).optional(),
      from_seconds: seconds.default(0),
      until_seconds: seconds.optional(),
      limit: z.number().int().min(1).max(MAX_CUES).default(200),
    }),
    output: z.object({
      tracks: z.array(captionTrack),
      chapters: z.array(z.object({ start_seconds: z.number(), title: z.string() })),
      track: captionTrack.optional(),
      cues: z.array(
        z.object({
          start_seconds: z.number(),
          end_seconds: z.number(),
          text: z.string(),
          cid: z.string(),
          ...place,
        }),
      ),
      next_seconds: z.number().optional().describe("More cues follow: ask again from here"),
    }),
    run: async ({ ref, track: id, language, ...range }, { principal, signal }) => {
      await contentViewFor(content, tenancy, principal).require(ref);
      const owner = principal.tenantId ?? "";
      const { captions: tracks, chapters } = await captions.list(ref, owner, { signal });
      const chosen = choose(tracks, id, language);
      const base = {
        tracks: tracks.map(track => ({ ...track })),
        chapters: chapters.map(({ startSeconds, title }) => ({ start_seconds: startSeconds, title })),
      };
      if (chosen === undefined) return { structured: { ...base, cues: [] } };
      const { from_seconds: fromSeconds, until_seconds: untilSeconds, limit } = range;
      const options = { owner, fromSeconds, untilSeconds, signal };
      const { track, cues } = await captions.cues(ref, chosen.id, options);
      const next = cues[limit]?.startSeconds;
      const shown = cues.slice(0, limit).map(({ startSeconds, endSeconds, text, from, to, sha256 }) => {
        return {
          start_seconds: startSeconds,
          end_seconds: endSeconds,
          text,
          cid: track.cid,
          from,
          to,
          sha256,
        };
      });
      const structured = {
        ...base,
        track: { ...track },
        cues: shown,
        ...(next !== undefined && { next_seconds: next }),
      };
      const link = { type: "resource_link", uri: `ipfs://${track.cid}`, name: nameOf(track) } as const;
      return { structured, content: [link] };
    },
  });
}

/** `TRACK_NOT_FOUND` when none is the one that was named. */
function choose(
  tracks: readonly CaptionTrack[],
  id: string | undefined,
  language: string | undefined,
): CaptionTrack | undefined {
  if (id !== undefined) {
    const named = tracks.find(track => track.id === id);
    if (named === undefined) throw new CidcastError("TRACK_NOT_FOUND", `There are no captions ${id}`);
    return named;
  }
  const spoken = (track: CaptionTrack): boolean =>
    track.language?.toLowerCase().split("-")[0] === language?.toLowerCase().split("-")[0];
  if (language === undefined) return tracks[0];
  const found = tracks.find(track => track.language === language) ?? tracks.find(spoken);
  if (found !== undefined || tracks.length === 0) return found;
  throw new CidcastError("TRACK_NOT_FOUND", `There are no captions in ${language}`);
}

function nameOf({ label, language, id }: CaptionTrack): string {
  return `Captions ${label ?? language ?? id}`;
}
