import { mkdtemp, rm } from "node:fs/promises";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { loadConfig } from "../config/index.ts";
import { EventBus, noMetrics, silentLogger, stopAll, type Service } from "../core/index.ts";
import { type CidcastNode, createNode } from "../node.ts";
import { startRooms } from "./events.ts";
import { Live } from "./live.ts";
import { Parts } from "./parts.ts";
import type { NodeEvents } from "./shared.ts";

let dataDir: string;
beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), "cidcast-settings-"));
});
afterEach(() => rm(dataDir, { recursive: true }));

const configOf = (env: Readonly<Record<string, string>>) =>
  loadConfig({
    cwd: dataDir,
    env: {
      CIDCAST_DATA_DIR: join(dataDir, "node"),
      CIDCAST_PORT: "0",
      CIDCAST_SAMPLE: "0",
      CIDCAST_WEBRTC_ENABLED: "0",
      CIDCAST_P2P_ENABLED: "0",
      CIDCAST_MCP_ENABLED: "0",
      ...env,
    },
  });

const nodeOf = (env: Readonly<Record<string, string>>): Promise<CidcastNode> =>
  createNode(configOf(env), { log: silentLogger });

/** Status and headers of an answer; an upgrade that is made has the status 101. */
async function ask(node: CidcastNode, path: string, headers: Readonly<Record<string, string>>) {
  const { promise, resolve, reject } = Promise.withResolvers<{ status: number; cors: string | undefined }>();
  const sent = request(new URL(path, node.url), { headers, agent: false });
  sent.on("response", response => {
    response.resume();
    resolve({ status: response.statusCode ?? 0, cors: response.headers["access-control-allow-origin"] });
  });
  sent.on("upgrade", (_, socket) => {
    socket.destroy();
    resolve({ status: 101, cors: undefined });
  });
  sent.on("error", reject).end();
  return promise;
}

const UPGRADE = {
  connection: "Upgrade",
  upgrade: "websocket",
  "sec-websocket-version": "13",
  "sec-websocket-key": "AAAAAAAAAAAAAAAAAAAAAA==",
};

test.each(["ALLOWED_HOSTS", "DJANGO_ALLOWED_HOSTS"])("%s: other hosts are refused", async name => {
  await using node = await nodeOf({ [name]: "node.example,localhost" });
  expect((await ask(node, "/healthz", { host: "node.example" })).status).toBe(200);
  expect((await ask(node, "/healthz", { host: "evil.example" })).status).toBe(421);
  expect((await ask(node, "/ws", { ...UPGRADE, host: "evil.example" })).status).toBe(421);
});

test.each(["CORS_ALLOWED_ORIGINS", "DJANGO_CORS_ALLOWED_ORIGINS"])(
  "%s: pages of these origins may read, and open sockets; others may not",
  async name => {
    const origin = "http://localhost:3000";
    await using node = await nodeOf({ [name]: origin });
    expect(await ask(node, "/api/v0/version", { origin })).toMatchObject({ cors: origin });
    expect((await ask(node, "/ws", { ...UPGRADE, origin })).status).toBe(101);
    const other = "http://evil.example";
    expect((await ask(node, "/api/v0/version", { origin: other })).cors).toBeUndefined();
    expect((await ask(node, "/ws", { ...UPGRADE, origin: other })).status).toBe(403);
  },
);

test("the tokens of rooms are good at nodes of the same key alone", async () => {
  const opened: Service[] = [];
  const log = silentLogger;
  const open = async (key: string) => {
    const config = configOf({ SECRET_KEY: key });
    const shared = {
      config,
      live: new Live(config, log),
      log,
      metrics: noMetrics,
      events: new EventBus<NodeEvents>(log),
      parts: new Parts(log),
      opened,
    };
    return startRooms(shared, { secret: config.secretKey ?? "" });
  };
  const [one, same, other] = [
    await open("a key of the nodes"),
    await open("a key of the nodes"),
    await open("a key of others than them"),
  ];
  const token = one.rooms.resumeToken("s", "r", "a");
  expect(same.rooms.checkResumeToken(token, "s", "r", "a")).toBe(true);
  expect(other.rooms.checkResumeToken(token, "s", "r", "a")).toBe(false);
  await stopAll(opened, log);
});

test("where no Redis answers the node serves, and says that it is degraded", async () => {
  await using node = await nodeOf({ REDIS_HOST: "127.0.0.1:1" });
  const { parts } = await node.status();
  expect(parts.filter(({ state }) => state === "degraded").map(({ name }) => name)).toEqual([
    "events",
    "rooms",
  ]);
  expect((await ask(node, "/readyz", {})).status).toBe(200);
});
