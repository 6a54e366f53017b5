import { Readable } from "node:stream";
import { expect, test, vi } from "vitest";
import { TestClient } from "../../sockets/socket-server.ts";
import { serveNode } from "./serve-node.ts";

vi.mock("../../../src/webrtc/werift/index.ts", () => ({
  createPeerFactory: () => Promise.reject(new Error("this machine has no WebRTC")),
}));

/** Of a network for documentation: nobody can listen there. */
const NOWHERE = "/ip4/192.0.2.1/tcp/4001";

test("where WebRTC and libp2p cannot start the node goes on without them, and says so at every place", async () => {
  await using served = await serveNode({
    webrtc: { enabled: true },
    p2p: { enabled: true, listen: [NOWHERE] },
  });
  const { cid } = await served.node.content.add(Readable.from([Buffer.from("still here")]));
  expect(await (await fetch(`${served.url}/ipfs/${cid}`)).text()).toBe("still here");

  const ready = await fetch(`${served.url}/readyz`);
  expect(ready.status).toBe(200);
  const { parts } = (await ready.json()) as { parts: { name: string; state: string; reason?: string }[] };
  const failed = parts.filter(({ state }) => state === "failed");
  expect(failed.map(({ name }) => name).sort()).toEqual(["p2p", "webrtc"]);
  expect(failed.find(({ name }) => name === "webrtc")?.reason).toContain("this machine has no WebRTC");

  using greeted = await TestClient.open(`${served.wsUrl}/ws/webrtc`);
  expect(await greeted.next()).toMatchObject({ type: "error", code: "FEATURE_DISABLED" });
  using silent = await TestClient.open(`${served.wsUrl}/webrtc`);
  silent.send({ type: "offer_request", cid });
  expect(await silent.next()).toMatchObject({ type: "error", code: "FEATURE_DISABLED" });

  const told = served.node.notify?.events.recent(10, ({ topic }) => topic === "system_error");
  expect(told?.map(({ data }) => data["code"])).toEqual(["FAILED", "FAILED"]);
});
