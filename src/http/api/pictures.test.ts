import { describe, expect, test } from "vitest";
import type { FrameOptions, Media, MediaPreviews } from "../../media/index.ts";
import { ask, serve } from "../testing/serve.ts";

describe("single pictures over HTTP", () => {
  test("come as a file of their own, within limits", async () => {
    const asked: FrameOptions[] = [];
    const media: Pick<Media, "frame"> = {
      frame: async (_cid, options = {}) => {
        asked.push(options);
        const contentType = options.format === "png" ? "image/png" : "image/jpeg";
        const picture = { contentType, width: 2, height: 2, timeSeconds: 1.5 } as const;
        return { ...picture, bytes: Uint8Array.of(1, 2), cid: "bafyfilm", trackId: "v0" };
      },
    };
    // What is not asked of it here is not there.
    await using server = await serve({}, { media: media as Media });
    const picture = await ask(server, `/api/v0/frame/bafyfilm?time=1.5&width=320&format=png`);
    expect(picture.headers["content-type"]).toBe("image/png");
    expect(picture.headers["cache-control"]).toContain("immutable");
    expect(picture.headers["x-cidcast-time"]).toBe("1.500000");
    expect(picture.body).toHaveLength(2);
    expect(asked).toMatchObject([{ timeSeconds: 1.5, maxWidth: 320, format: "png" }]);
    for (const wrong of ["width=8", "width=99999", "time=-1", "format=gif"]) {
      expect((await ask(server, `/api/v0/frame/bafyfilm?${wrong}`)).status).toBe(400);
    }
  });
});

describe("what was prepared for seeking", () => {
  test("is told as JSON and WebVTT, and its pictures are served", async () => {
    // What is not asked of it here is not there.
    const media: Partial<Media> = {};
    await using server = await serve({}, { media: media as Media });
    const add = async (text: string): Promise<string> => {
      const source = (async function* () {
        yield Buffer.from(text);
      })();
      return (await server.content.add(source)).cid;
    };
    const storyboard = {
      intervalSeconds: 2,
      count: 3,
      columns: 2,
      rows: 1,
      width: 160,
      height: 90,
      sheets: [await add("picture first"), await add("picture second")],
    };
    const poster = { cid: await add("picture poster"), width: 320, height: 180, timeSeconds: 1 };
    const previews: Readonly<Record<string, MediaPreviews>> = {
      bafyfilm: { poster, storyboard },
      bafybare: { poster: undefined, storyboard: undefined },
    };
    Object.assign(media, { previews: async (cid: string) => previews[cid] });
    expect((await ask(server, "/api/v0/storyboard/bafyfilm")).json()).toEqual(storyboard);
    const vtt = await ask(server, "/api/v0/storyboard/bafyfilm?format=vtt");
    expect(vtt.text).toContain("00:00:02.000 --> 00:00:04.000\nbafyfilm/0#xywh=160,0,160,90\n");
    expect(vtt.text).toContain("00:00:04.000 --> 00:00:06.000\nbafyfilm/1#xywh=0,0,160,90\n");
    expect((await ask(server, "/api/v0/storyboard/bafyfilm/1")).text).toBe("picture second");
    expect((await ask(server, "/api/v0/poster/bafyfilm")).headers["content-type"]).toBe("image/jpeg");
    for (const path of [
      "storyboard/bafyfilm/2",
      "storyboard/bafybare",
      "poster/bafybare",
      "poster/bafyother",
    ]) {
      expect([path, (await ask(server, `/api/v0/${path}`)).status]).toEqual([path, 404]);
    }
  });
});
