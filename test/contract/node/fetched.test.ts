import { randomBytes } from "node:crypto";
import { Readable } from "node:stream";
import { expect, test } from "vitest";
import { TestClient } from "../../sockets/socket-server.ts";
import { serveNode } from "./serve-node.ts";

/** Enough blocks that fetching them is told of in between. */
const BYTES = 24 * 256 * 1024;

test("who pins what another node has is told of each step until it is here", async () => {
  await using has = await serveNode({ p2p: { enabled: true } });
  const connect = [...(has.node.peer?.multiaddrs ?? [])];
  await using wants = await serveNode({ p2p: { enabled: true, connect } });
  const { cid, size } = await has.node.content.add(Readable.from([randomBytes(BYTES)]), { name: "film.bin" });
  using client = await TestClient.open(`${wants.wsUrl}/ws/notifications`);
  client.send({
    action: "subscribe",
    notification_types: ["content_retrieved", "pin_progress", "pin_status_changed", "pin_added"],
  });
  await client.until(frame => frame["type"] === "subscription_confirmed");
  const answer = await fetch(`${wants.url}/api/v0/pin/${cid}?name=kept`, { method: "POST" });
  expect(answer.status).toBe(200);
  const told: Record<string, unknown>[] = [];
  while (told.at(-1)?.["status"] !== "pinned") {
    const frame = await client.until(({ type }) => type === "notification");
    const data = frame["data"] as Record<string, unknown>;
    told.push({ type: frame["notification_type"], ...data });
  }
  const of = (type: string): Record<string, unknown>[] => told.filter(event => event["type"] === type);
  expect(told[0]).toMatchObject({ type: "pin_status_changed", cid, status: "pinning" });
  expect(of("pin_progress").length).toBeGreaterThan(0);
  for (const event of of("pin_progress")) {
    expect(event).toMatchObject({ cid, blocks: expect.any(Number), bytes: expect.any(Number) });
  }
  expect(of("content_retrieved")).toMatchObject([{ cid, size: expect.any(Number) }]);
  expect(Number(of("content_retrieved")[0]?.["size"])).toBeGreaterThanOrEqual(size);
  expect(of("pin_added")).toMatchObject([{ cid, name: "kept" }]);
});
