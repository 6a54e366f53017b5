import { execFile, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, type TestContext, test, vi } from "vitest";
import { type CidcastNode, createNode } from "../../../src/index.ts";
import { buildGoPeer, type GoPeer } from "./build.ts";

const run = promisify(execFile);
const FILE_BYTES = 9 * 1024 * 1024;
const ELSEWHERE = "bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy";

vi.setConfig({ testTimeout: 120_000 });

let go: GoPeer;
let folder: string;

beforeAll(async () => {
  go = await buildGoPeer();
  folder = await mkdtemp(join(tmpdir(), "cidcast-go-libp2p-"));
}, 1_200_000);
afterAll(() => rm(folder, { recursive: true, force: true }));

function needGo(context: TestContext): string {
  return go.program ?? context.skip(go.missing);
}

async function startNode(name: string, fastTls: boolean): Promise<CidcastNode> {
  return createNode({
    dataDir: join(folder, name),
    port: 0,
    sample: false,
    logLevel: "error",
    webrtc: { enabled: false },
    p2p: { enabled: true, listen: ["/ip4/127.0.0.1/tcp/0"], fastTls },
  });
}

/** Lines of JSON that a program printed. */
const linesOf = (text: string): Record<string, unknown>[] =>
  text
    .trim()
    .split("\n")
    .map(line => JSON.parse(line) as Record<string, unknown>);

describe.each([
  ["noise", ["-noise"], false],
  ["TLS", [], false],
  ["TLS on the real socket", [], true],
] as const)("a peer on go-libp2p over %s, that knows the specifications alone,", (name, flags, fastTls) => {
  test("gets a file by the content protocol, every block verified, and is told what is missing", async context => {
    const program = needGo(context);
    await using node = await startNode(`get-${name}`, fastTls);
    const content = randomBytes(FILE_BYTES);
    const pieces = async function* (): AsyncGenerator<Uint8Array> {
      yield content;
    };
    const { cid } = await node.content.add(pieces());
    const address = node.peer?.multiaddrs[0] ?? "";
    const told = linesOf((await run(program, [...flags, "get", address, cid])).stdout);
    const { localBlocks } = await node.content.stat(cid);
    expect(told.at(-1)).toMatchObject({ end: true, blocks: localBlocks });
    const sizes = told.slice(0, -1).map(line => Number(line["bytes"]));
    expect(sizes.reduce((sum, size) => sum + size, 0)).toBeGreaterThan(FILE_BYTES);
    const lacked = linesOf((await run(program, [...flags, "get", address, ELSEWHERE])).stdout);
    expect(lacked).toEqual([{ missing: ELSEWHERE }, { end: true, blocks: 0, bytes: 0 }]);
  });

  test("gives a block by the content protocol", async context => {
    const program = needGo(context);
    const block = randomBytes(700_000);
    const file = join(folder, `block-${name}`);
    await writeFile(file, block);
    await using node = await startNode(`take-${name}`, fastTls);
    const child = spawn(program, [...flags, "serve", file], { stdio: ["pipe", "pipe", "inherit"] });
    const exited = once(child, "exit");
    const [line] = (await once(createInterface({ input: child.stdout }), "line")) as [string];
    const { address, cid } = JSON.parse(line) as { address: string; cid: string };
    const result = await node.transfers.transferViaLibp2p(cid, address);
    expect(result.transfer).toMatchObject({ state: "completed", blocks: 1, rung: "libp2p" });
    expect(Buffer.compare(await node.content.block(cid), block)).toBe(0);
    const other = await node.transfers.transferViaLibp2p(ELSEWHERE, address);
    expect(other.ok).toBe(false);
    child.stdin.end();
    await exited;
  });
});

test("the JSON protocol answers a peer on go-libp2p that leaves its half open", async context => {
  const program = needGo(context);
  await using node = await startNode("ask", false);
  const pieces = async function* (): AsyncGenerator<Uint8Array> {
    yield Buffer.from("some words");
  };
  const { cid } = await node.content.add(pieces(), { name: "a.txt" });
  const address = node.peer?.multiaddrs[0] ?? "";
  const ask = async (request: unknown): Promise<Record<string, unknown>> =>
    JSON.parse((await run(program, ["ask", address, JSON.stringify(request)])).stdout) as Record<
      string,
      unknown
    >;
  const reply = await ask({ action: "get_content", cid, request_id: "7" });
  expect(reply).toMatchObject({ success: true, request_id: "7", size: 10, encoding: "base64" });
  expect(Buffer.from(String(reply["content"]), "base64").toString()).toBe("some words");
  expect(await ask({ action: "pin", cid })).toMatchObject({ success: false, code: "FORBIDDEN" });
  expect(await ask({ action: "get_content", cid: ELSEWHERE })).toMatchObject({ code: "CONTENT_NOT_FOUND" });
});
