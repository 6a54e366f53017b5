import { z } from "zod";
import type { Content } from "../../../content/index.ts";
import type { Media } from "../../../media/index.ts";
import type { Tenancy } from "../../../tenancy/index.ts";
import { defineTool } from "../../server/define-tool.ts";
import type { Tool } from "../../types.ts";
import { refText } from "./content-tools.ts";
import { contentViewFor } from "./tenant-view.ts";

const READ = { readOnlyHint: true, openWorldHint: false } as const;

/** Tools over the media domain. `pageUrl` is where viewers find the player. */
export function mediaTools(components: {
  readonly content: Content;
  readonly media: Media;
  readonly tenancy: Tenancy;
  readonly baseUrl: () => string;
}): Tool[] {
  const { content, media, tenancy, baseUrl } = components;
  return [
    defineTool({
      name: "media_probe",
      title: "Probe media",
      description: "Tracks of a media file: codecs, size, duration, and whether and how each one plays here",
      scopes: ["media"],
      annotations: READ,
      input: z.object({ ref: refText }),
      output: z.looseObject({
        container: z.string(),
        durationSeconds: z.number(),
        tracks: z.array(z.looseObject({ id: z.string(), kind: z.string() })),
        playable: z.boolean(),
        notes: z.array(z.string()),
      }),
      run: async ({ ref }, { principal, signal }) => {
        await contentViewFor(content, tenancy, principal).require(ref);
        return { structured: { ...(await media.probe(ref, { signal })) } };
      },
    }),
    defineTool({
      name: "play",
      title: "Play",
      description: "Address of the page that plays a media file, with what it will show",
      scopes: ["media"],
      annotations: READ,
      input: z.object({ ref: refText, start_seconds: z.number().min(0).optional() }),
      output: z.object({
        url: z.string(),
        cid: z.string(),
        duration_seconds: z.number(),
        playable: z.boolean(),
        notes: z.array(z.string()),
      }),
      run: async ({ ref, start_seconds: start }, { principal, signal }) => {
        await contentViewFor(content, tenancy, principal).require(ref);
        const { cid } = await content.resolve(ref, { signal });
        const info = await media.probe(ref, { signal });
        const url = new URL(`/play/${encodeURIComponent(cid)}`, baseUrl());
        if (start !== undefined) url.hash = `t=${start}`;
        return {
          structured: {
            url: url.href,
            cid,
            duration_seconds: info.durationSeconds,
            playable: info.playable,
            notes: [...info.notes],
          },
          content: [{ type: "resource_link", uri: url.href, name: `Play ${cid}`, mimeType: "text/html" }],
        };
      },
    }),
  ];
}
