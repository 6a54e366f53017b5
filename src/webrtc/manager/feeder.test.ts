import { describe, expect, it } from "vitest";
import { CidcastError } from "../../core/index.ts";
import type { RenditionSource, Segment } from "../../media/index.ts";
import { fakeMedia } from "../testing/fake-media.ts";
import { Feeder } from "./feeder.ts";

/** A feeder on one rendition, whose reads end as `outcomes` say, in turn. */
async function feederWith(outcomes: (CidcastError | "segment")[]) {
  const source = await fakeMedia().open("film");
  const rendition = await source.rendition(source.defaultTrackIds[0] ?? "");
  const segmentAt = async (seconds: number): Promise<Segment | undefined> => {
    const outcome = outcomes.shift();
    if (outcome instanceof CidcastError) throw outcome;
    return rendition.segmentAt(seconds);
  };
  const sent: { readonly type: string; readonly code?: string }[] = [];
  const read: RenditionSource = { info: rendition.info, segmentAt, segmentAfter: async () => undefined };
  const feeder = new Feeder({
    renditions: [read],
    atTempo: () => Promise.reject(new Error("not asked for")),
    choose: () => undefined,
    send: answer =>
      sent.push(
        answer.type === "segment_failed"
          ? { type: answer.type, code: answer.error.code }
          : { type: answer.type },
      ),
  });
  await feeder.feed({ type: "need", id: "pc", track: 0, ticket: 1, place: { at: 0 } });
  return { sent, left: outcomes.length };
}

const givenUp = () => new CidcastError("ABORTED", "Nobody waits for it any more");

describe("a feeder", () => {
  it("begins anew what it shared with somebody who gave it up", async () => {
    expect(await feederWith([givenUp(), givenUp(), "segment"])).toEqual({
      sent: [{ type: "segment" }],
      left: 0,
    });
  });

  it("always answers: what is given up again and again is an error", async () => {
    expect(await feederWith([givenUp(), givenUp(), givenUp(), "segment"])).toEqual({
      sent: [{ type: "segment_failed", code: "ABORTED" }],
      left: 1,
    });
  });
});
