import { expect, test } from "vitest";
import type { EncoderPool } from "../transcode/jobs/encoder-pool.ts";
import type { EncoderProcess } from "../transcode/jobs/encoder-process.ts";
import { type EncodeRun, encodeRun } from "./encode-run.ts";

test("who gives up while an encoder starts does not wait for it, and the next one gets it", async () => {
  const starting = Promise.withResolvers<EncoderProcess>();
  const givenBack: EncoderProcess[] = [];
  const pool: Pick<EncoderPool, "take" | "giveBack"> = {
    take: () => starting.promise,
    giveBack: encoder => void givenBack.push(encoder),
  };
  const abort = new AbortController();
  const run = encodeRun({ pool, signal: abort.signal } as unknown as EncodeRun);
  abort.abort(new Error("given up"));
  await expect(run).rejects.toThrow("given up");
  const encoder = {} as EncoderProcess;
  starting.resolve(encoder);
  await starting.promise;
  await Promise.resolve();
  expect(givenBack).toEqual([encoder]);
});
