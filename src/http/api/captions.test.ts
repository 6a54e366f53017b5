import { describe, expect, test } from "vitest";
import { CidcastError } from "../../core/index.ts";
import type { Captions } from "../../media/index.ts";
import { ask, serve } from "../testing/serve.ts";

const TRACK = { id: "xbafyvtt", cid: "bafyvtt", format: "webvtt", language: "de", label: undefined } as const;
const CUE = { startSeconds: 1, endSeconds: 2, text: "Hallo & <so>", from: 8, to: 40, sha256: "00" };

function fakeCaptions(asked: unknown[]): Captions {
  const text = { captions: [TRACK], chapters: [{ startSeconds: 3, title: "Zwei" }], tags: { title: "Film" } };
  return {
    embedded: async () => text,
    list: async () => text,
    cues: async (cid, id, { fromSeconds, untilSeconds, owner } = {}) => {
      asked.push(["cues", cid, id, fromSeconds, untilSeconds, owner]);
      if (id !== TRACK.id) throw new CidcastError("TRACK_NOT_FOUND", `there is no ${id}`);
      return { track: TRACK, cues: [CUE] };
    },
    attach: async (cid, captions, _owner, { language, label } = {}) => {
      asked.push(["attach", cid, captions, language, label]);
      return TRACK;
    },
    detach: async (_cid, captions) => captions === TRACK.cid,
  };
}

describe("captions over HTTP", () => {
  test("are listed, read as JSON and WebVTT, attached and taken off", async () => {
    const asked: unknown[] = [];
    await using server = await serve({}, { captions: fakeCaptions(asked) });
    const list = await ask(server, `/api/v0/captions/bafyfilm`);
    expect(list.json()).toEqual({
      captions: [{ id: "xbafyvtt", cid: "bafyvtt", format: "webvtt", language: "de" }],
      chapters: [{ startSeconds: 3, title: "Zwei" }],
      tags: { title: "Film" },
    });
    const url = `/api/v0/cues/bafyfilm?track=xbafyvtt`;
    expect((await ask(server, `${url}&from=0.5&until=9`)).json()).toMatchObject({ cues: [CUE] });
    const vtt = await ask(server, `${url}&format=vtt`);
    expect(vtt.headers["content-type"]).toBe("text/vtt; charset=utf-8");
    expect(vtt.text).toBe("WEBVTT\n\n00:00:01.000 --> 00:00:02.000\nHallo &amp; &lt;so&gt;\n");
    expect((await ask(server, `/api/v0/cues/bafyfilm?track=s9`)).status).toBe(404);
    expect((await ask(server, `/api/v0/cues/bafyfilm`)).status).toBe(400);
    const one = `/api/v0/captions/bafyfilm`;
    expect((await ask(server, `${one}/bafyvtt?language=de&label=D`, { method: "PUT" })).status).toBe(200);
    expect((await ask(server, `${one}/bafyvtt`, { method: "DELETE" })).status).toBe(200);
    expect((await ask(server, `${one}/bafyother`, { method: "DELETE" })).status).toBe(404);
    expect(asked).toEqual([
      ["cues", "bafyfilm", "xbafyvtt", 0.5, 9, ""],
      ["cues", "bafyfilm", "xbafyvtt", undefined, undefined, ""],
      ["cues", "bafyfilm", "s9", undefined, undefined, ""],
      ["attach", "bafyfilm", "bafyvtt", "de", "D"],
    ]);
  });
});
