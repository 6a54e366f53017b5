import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, expect, test } from "vitest";
import { silentLogger } from "../../core/index.ts";
import { MAX_ROUTER_ANSWER_BYTES, MAX_ROUTER_PROVIDERS } from "../limits.ts";
import { DelegatedRouters } from "./delegated.ts";

const LINES = "application/x-ndjson";
const WHOLE = "application/json";

let answer: { readonly status?: number; readonly type: string; readonly body: string };
let server: Server;
let routers: DelegatedRouters;
beforeEach(async () => {
  server = createServer((_request, response) => {
    response.writeHead(answer.status ?? 200, { "content-type": answer.type });
    response.end(answer.body);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  routers = new DelegatedRouters([`http://127.0.0.1:${port}/`], { log: silentLogger });
});
afterEach(() => server.close());

const record = (n: number, spare = "") => ({
  Schema: "peer",
  ID: `peer-${n}`,
  Addrs: ["/ip4/192.0.2.1"],
  spare,
});

async function found(): Promise<string[]> {
  const ids: string[] = [];
  for (const answers of routers.findProviders("bafy", AbortSignal.timeout(30_000)))
    for await (const { peerId } of answers) ids.push(peerId);
  return ids;
}

test("so many providers are taken from one answer, as lines or whole", async () => {
  const records = Array.from({ length: MAX_ROUTER_PROVIDERS + 5 }, (_, n) => record(n));
  answer = { type: LINES, body: records.map(each => JSON.stringify(each)).join("\n") };
  expect(await found()).toHaveLength(MAX_ROUTER_PROVIDERS);
  answer = { type: WHOLE, body: JSON.stringify({ Providers: records }) };
  expect(await found()).toHaveLength(MAX_ROUTER_PROVIDERS);
});

test("an answer is read so far and no further", async () => {
  const large = record(1, "x".repeat(MAX_ROUTER_ANSWER_BYTES));
  answer = { type: LINES, body: JSON.stringify(large) };
  expect(await found()).toEqual([]);
  answer = { type: WHOLE, body: JSON.stringify({ Providers: [record(0), large] }) };
  expect(await found()).toEqual([]);
  answer = { type: WHOLE, body: JSON.stringify({ Providers: [record(0), { Schema: "other" }] }) };
  expect(await found()).toEqual(["peer-0"]);
});

test("a router that knows nobody, fails or talks nonsense gives nobody", async () => {
  for (const [status, body] of [
    [404, ""],
    [500, ""],
    [200, "nonsense"],
  ] as const) {
    answer = { status, type: WHOLE, body };
    expect(await found()).toEqual([]);
  }
});
