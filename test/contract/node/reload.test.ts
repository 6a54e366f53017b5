import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createReadStream } from "node:fs";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { run } from "../../../src/cli/testing/run.ts";
import { parseConfig } from "../../../src/config/index.ts";
import { ownerPrincipal } from "../../../src/core/index.ts";
import { ask } from "../../../src/http/testing/serve.ts";
import { findRunningNode } from "../../../src/store/index.ts";
import { TestClient } from "../../sockets/socket-server.ts";
import { serveNode } from "./serve-node.ts";

const SAMPLE = new URL("../../../samples/sample-720p.mp4", import.meta.url);

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "cidcast-reload-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const OFF = { webrtc: { enabled: false }, p2p: { enabled: false }, sample: false };

test("a running node reads its file again: what can change does, and no socket is lost", async () => {
  const file = join(folder, "cidcast.config.json");
  const write = (settings: object) => writeFile(file, JSON.stringify({ port: 0, ...OFF, ...settings }));
  await write({});
  const ended = new AbortController();
  let reload = (): void => undefined;
  const dataDir = join(folder, "data");
  const running = run(["start"], {
    cwd: folder,
    dataDir,
    signal: ended.signal,
    onReload: listener => {
      reload = listener;
      return () => undefined;
    },
  });
  await expect.poll(() => findRunningNode(dataDir)?.url, { timeout: 15_000 }).toBeDefined();
  const { url = "" } = findRunningNode(dataDir) ?? {};
  const { port } = new URL(url);
  using socket = await TestClient.open(`${url.replace("http:", "ws:")}/ws/notifications`);
  await socket.next();
  const status = async (host: string): Promise<number> =>
    (await ask({ port: Number(port) }, "/healthz", { headers: { host } })).status;

  expect(await status("films.example")).toBe(421);
  await write({ allowedHosts: ["films.example"], port: 1 });
  reload();
  expect(await status("films.example")).toBe(200);
  await write({ allowedHosts: ["not a host"] });
  reload();
  await writeFile(file, "{");
  reload();
  await write({ allowedHosts: "films.example" });
  reload();
  expect(await status("films.example")).toBe(200);
  await write({});
  reload();
  expect(await status("films.example")).toBe(421);
  socket.send({ action: "ping" });
  expect(await socket.next()).toMatchObject({ type: "pong" });
  ended.abort();
  const { stderr } = await running;
  expect(stderr.split("\n").filter(line => /settings/.test(line))).toEqual([
    expect.stringMatching(/settings read again: allowedHosts; port need a restart/),
    expect.stringMatching(/settings are as they were: allowedHosts: "not a host"/),
    expect.stringMatching(/settings are as they were: .*cannot be read/),
    expect.stringMatching(/settings are as they were: allowedHosts: /),
    expect.stringMatching(/settings read again: allowedHosts/),
  ]);
});

describe("a node that is told to stop", () => {
  test("takes no new viewers and lets those that are there finish", async () => {
    await using served = await serveNode({ webrtc: { enabled: true }, drainTimeoutMs: 60_000 });
    const { cid } = await served.node.content.add(createReadStream(SAMPLE), { name: "sample.mp4" });
    const init = { cid, owner: "viewer", principal: ownerPrincipal };
    const { session } = await served.node.webrtc!.createOffer(init);
    using listener = await TestClient.open(`${served.wsUrl}/ws/notifications`);
    await listener.next();
    listener.send({ action: "subscribe", notification_types: ["system_warning"] });
    await listener.next();
    const drained = served.node.drain();
    expect(await listener.next()).toMatchObject({ data: { code: "SHUTTING_DOWN" } });
    const ready = await fetch(`${served.url}/readyz`);
    expect([ready.status, await ready.json()]).toMatchObject([503, { ready: false }]);
    expect((await fetch(`${served.url}/healthz`)).status).toBe(200);
    await expect(served.node.webrtc!.createOffer(init)).rejects.toMatchObject({
      code: "SHUTTING_DOWN",
      retryAfterSeconds: 5,
    });
    using viewer = await TestClient.open(`${served.wsUrl}/webrtc`);
    viewer.send({ type: "offer_request", cid });
    expect(await viewer.next()).toMatchObject({ type: "error", code: "SHUTTING_DOWN" });
    await session.close();
    await drained;
  });

  test("waits no longer than it was told", async () => {
    await using served = await serveNode({ webrtc: { enabled: true }, drainTimeoutMs: 1 });
    const { cid } = await served.node.content.add(createReadStream(SAMPLE), { name: "sample.mp4" });
    await served.node.webrtc!.createOffer({ cid, owner: "viewer", principal: ownerPrincipal });
    await served.node.drain();
    expect(served.node.webrtc!.sessions()).toHaveLength(1);
  });

  test("takes over how many viewers there may be", async () => {
    await using served = await serveNode({ webrtc: { enabled: true } });
    const { cid } = await served.node.content.add(createReadStream(SAMPLE), { name: "sample.mp4" });
    const init = { cid, owner: "viewer", principal: ownerPrincipal };
    await served.node.webrtc!.createOffer(init);
    const { config } = served.node;
    served.node.reload(parseConfig({ ...config, webrtc: { ...config.webrtc, maxSessions: 1 } }));
    await expect(served.node.webrtc!.createOffer(init)).rejects.toMatchObject({ code: "BUSY" });
    expect(served.node.webrtc!.sessions()).toHaveLength(1);
  });
});
