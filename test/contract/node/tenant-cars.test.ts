import { randomBytes } from "node:crypto";
import { Readable } from "node:stream";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type ServedNode, serveNode } from "./serve-node.ts";

let served: ServedNode;
beforeAll(async () => {
  served = await serveNode();
});
afterAll(() => served[Symbol.asyncDispose]());

const SIZE = 600_000;

async function tenant(quotas: object = {}) {
  const { tenants, tokens } = served.node.tenancy!;
  const { id } = await tenants.create({ name: "t", quotas });
  const scopes = ["content:read", "content:write"];
  const { token } = await tokens.create({ tenantId: id, scopes, expiresInDays: 1 });
  const ask = (method: string, path: string, body?: ArrayBuffer): Promise<Response> =>
    fetch(`${served.url}${path}`, {
      method,
      headers: { authorization: `Bearer ${token}` },
      ...(body !== undefined && { body }),
    });
  return { id, ask };
}

/** A file that is on no node any more, as a CAR and as its root block alone. */
async function carried() {
  const { content } = served.node;
  const { cid } = await content.add(Readable.from([randomBytes(SIZE)]));
  const get = async (query: string): Promise<ArrayBuffer> =>
    (await fetch(`${served.url}/ipfs/${cid}?format=car${query}`)).arrayBuffer();
  return { cid, car: await get(""), root: await get("&dag-scope=block") };
}

test("a CAR of a tenant becomes its content: listed, read, counted, removed", async () => {
  const { cid, car } = await carried();
  const [a, b] = [await tenant(), await tenant()];
  expect((await a.ask("GET", `/ipfs/${cid}`)).status).toBe(404);
  const answer = await a.ask("POST", "/api/v0/car?pin-name=films", car);
  expect([answer.status, await answer.json()]).toMatchObject([200, { roots: [cid] }]);
  expect((await (await a.ask("GET", `/ipfs/${cid}`)).arrayBuffer()).byteLength).toBe(SIZE);
  expect((await b.ask("GET", `/ipfs/${cid}`)).status).toBe(404);
  const { records } = (await (await a.ask("GET", "/api/v0/content")).json()) as { records: object[] };
  expect(records).toMatchObject([{ cid }]);
  expect(await served.node.tenancy!.content.usedBytes(a.id)).toBeGreaterThan(SIZE);
  expect((await (await a.ask("GET", "/api/v0/pins")).json()) as object).toMatchObject({
    pins: [{ cid, name: "films" }],
  });
  expect((await a.ask("DELETE", `/api/v0/content/${cid}`)).status).toBe(200);
  expect((await a.ask("GET", `/ipfs/${cid}`)).status).toBe(404);
});

test("what others have completes no CAR, and its answer does not tell whether it is there", async () => {
  const here = await carried();
  const gone = await carried();
  await served.node.content.remove(gone.cid);
  await served.node.content.gc();
  const { ask } = await tenant();
  const told: unknown[] = [];
  for (const { cid, root } of [here, gone]) {
    const answer = await ask("POST", "/api/v0/car", root);
    const { error } = (await answer.json()) as { error: { code: string; message: string } };
    told.push([answer.status, error.code, error.message.replaceAll(/\bb[a-z2-7]{20,}/g, "CID")]);
    expect((await ask("GET", `/ipfs/${cid}`)).status).toBe(404);
  }
  expect(told[0]).toEqual([400, "INVALID_CAR", "The CAR lacks CID, which CID needs"]);
  expect(told[1]).toEqual(told[0]);
});

test("a CAR counts against the tenant's storage", async () => {
  const { car } = await carried();
  const { id, ask } = await tenant({ storage_bytes: SIZE / 2 });
  const answer = await ask("POST", "/api/v0/car", car);
  expect(((await answer.json()) as { error: { code: string } }).error.code).toBe("LIMIT_REACHED");
  expect(await served.node.tenancy!.content.usedBytes(id)).toBe(0);
});
