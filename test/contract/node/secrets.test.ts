import { readFile } from "node:fs/promises";
import { expect, test, vi } from "vitest";
import { TestClient } from "../../sockets/socket-server.ts";
import { captureLog } from "./captured-log.ts";
import { serveNode } from "./serve-node.ts";

/** Secrets that nobody else has, so that finding one anywhere says where it went. */
const SEEDS = {
  nodeToken: "seed-node-token-1f2e3d4c5b6a",
  encryptionKey: "seed-encryption-key-1f2e3d4c5b6a",
  secretKey: "seed-secret-key-1f2e3d4c5b6a",
  turnSecret: "seed-turn-secret-1f2e3d4c5b6a",
  credential: "seed-credential-value-1f2e3d4c5b6a",
  wrongToken: "cct_seedwrongtoken1f2e3d4c5b6a7f8e9d0c1b2a3f4e5d6c7b8",
  wrongAdminKey: "seed-wrong-admin-key-1f2e3d4c5b6a",
  inArguments: "seed-in-arguments-1f2e3d4c5b6a",
};

vi.setConfig({ testTimeout: 60_000 });

test("seeded secrets are used right and wrong at every door, and are in no log, metric, event, list or audit record", async () => {
  const { log, text } = captureLog();
  const { nodeToken, encryptionKey, secretKey, turnSecret, credential, wrongToken, wrongAdminKey } = SEEDS;
  await using served = await serveNode(
    {
      token: nodeToken,
      secretKey,
      mcp: { encryptionKey },
      webrtc: { enabled: true, turnSecret, iceServers: ["turn:127.0.0.1:3478"] },
    },
    log,
  );
  const adminKey = (await readFile(served.node.adminKeyFile, "utf8")).trim();
  const answers: string[] = [];
  const call = async (method: string, path: string, headers: Record<string, string> = {}, body?: object) => {
    const response = await fetch(`${served.url}${path}`, {
      method,
      headers: { ...(body && { "content-type": "application/json" }), ...headers },
      body: body === undefined ? null : JSON.stringify(body),
    });
    const said = await response.text();
    answers.push(said);
    return said;
  };
  const admin = { "x-admin-key": adminKey };
  const { tenant } = JSON.parse(await call("POST", "/api/admin/tenants", admin, { name: "acme" }));
  const made = JSON.parse(
    await call("POST", "/api/admin/tokens", admin, {
      tenant_id: tenant.tenant_id,
      scopes: ["basic", "web", "api", "events", "content:read", "content:write"],
    }),
  );
  const { token } = made.token_info as { readonly token: string };
  // The one answer that shows it.
  answers.pop();
  await call("POST", "/api/admin/credentials", admin, {
    tenant_id: tenant.tenant_id,
    tool_name: "secure_api",
    credential_key: "api_key",
    credential_value: credential,
  });
  await call("GET", `/api/admin/credentials?tenant_id=${tenant.tenant_id}`, admin);
  await call("POST", "/api/admin/credentials/rotate", admin);
  await call("GET", "/api/admin/tenants", { "x-admin-key": wrongAdminKey });
  for (const given of [token, nodeToken, wrongToken]) {
    for (const path of ["/api/v0/status", "/ipfs/nonsense", "/api/v0/content", "/mcp", "/nowhere"]) {
      await call("GET", `${path}?token=${given}`);
      await call("GET", path, { authorization: `Bearer ${given}` });
    }
    const rpc = { authorization: `Bearer ${given}`, "x-tenant-id": tenant.tenant_id };
    for (const [name, args] of [
      [
        "web_request",
        { url: `http://127.0.0.1/?key=${SEEDS.inArguments}`, headers: { authorization: SEEDS.inArguments } },
      ],
      ["secure_api", { endpoint: "/x" }],
      ["echo", { message: "hi", token: SEEDS.inArguments, password: SEEDS.inArguments }],
      ["nothing", { api_key: SEEDS.inArguments }],
    ] as const) {
      const params = { name, arguments: args };
      await call("POST", "/api/mcp/rpc/", rpc, { jsonrpc: "2.0", id: 1, method: "tools/call", params });
    }
    for (const path of ["/ws/notifications", "/webrtc", "/ws/mcp/", "/ws/signal/"]) {
      using socket = await TestClient.open(
        `${served.wsUrl}${path}?token=${given}&tenant_id=${tenant.tenant_id}`,
      );
      socket.send({ type: "nonsense", token: given });
      socket.send({ jsonrpc: "2.0", id: 1, method: "tools/list" });
    }
  }
  await call("GET", `/api/admin/audit?tenant_id=${tenant.tenant_id}`, admin);
  await call("GET", "/api/admin/overview", admin);
  await call("GET", `/metrics?token=${nodeToken}`);
  await call("GET", `/api/v0/status?token=${nodeToken}`);
  using events = await TestClient.open(`${served.wsUrl}/ws/notifications?token=${nodeToken}`);
  await events.next();
  events.send({ action: "get_history", limit: 1000 });
  answers.push(await events.text());
  await served.node.stop();

  const known = { ...SEEDS, token, adminKey };
  expect(text().length).toBeGreaterThan(5_000);
  for (const [where, said] of [
    ["log", text()],
    ["answers", answers.join("\n")],
  ] as const) {
    const found = Object.entries(known).filter(([, secret]) => said.includes(secret));
    expect([where, found.map(([name]) => name)]).toEqual([where, []]);
  }
});
