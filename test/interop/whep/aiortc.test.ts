import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type RealNode, startRealNode } from "../../browser/real-node.ts";
import { pythonWith } from "../python/venv.ts";

const run = promisify(execFile);
const CLIENT = fileURLToPath(new URL("aiortc_client.py", import.meta.url));

let real: RealNode;
let python: Awaited<ReturnType<typeof pythonWith>>;
beforeAll(async () => {
  [real, python] = await Promise.all([
    startRealNode(),
    pythonWith("python-aiortc", ["aiortc==1.16.0", "av==18.1.0"]),
  ]);
}, 300_000);
afterAll(() => real?.[Symbol.asyncDispose]());

describe("aiortc as a WHEP player", () => {
  test.for([
    ["passed through", 0],
    ["transcoded", 1],
  ] as const)("decodes picture and sound of a file %s, and ends its session", async ([, index], context) => {
    if (typeof python === "string") {
      context.skip(python);
      return;
    }
    const cid = [real.passthroughCid, real.transcodedCid][index];
    const { stdout } = await run(python.path, [CLIENT, `${real.url}/whep/${cid}`], { timeout: 150_000 });
    expect(JSON.parse(stdout)).toEqual({
      post: 201,
      etag: true,
      size: [1280, 720],
      video: 30,
      video_rises: true,
      audio: 50,
      audio_rises: true,
      delete: 200,
      again: 404,
    });
    await expect.poll(() => real.sessions()).toBe(0);
  });

  test("is told why there is nothing to play", async context => {
    if (typeof python === "string") {
      context.skip(python);
      return;
    }
    const { stdout } = await run(python.path, [CLIENT, `${real.url}/whep/not-a-cid`], { timeout: 60_000 });
    expect(JSON.parse(stdout)).toEqual({ post: 400, code: "INVALID_CID" });
  });
});
