/** A whole node, with authorisation, quota and audit log on, for the benchmark. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { silentLogger } from "../../src/core/index.ts";
import { createNode } from "../../src/node.ts";
import { answerQuestions } from "./serve.ts";

const dataDir = await mkdtemp(join(tmpdir(), "cidcast-bench-mcp-"));
const node = await createNode(
  { dataDir, port: 0, sample: false, webrtc: { enabled: false }, p2p: { enabled: false } },
  { log: silentLogger },
);
const { tenancy, url = "" } = node;
if (tenancy === undefined) throw new Error("The node has no tenants");
const { id: tenantId } = await tenancy.tenants.create({ name: "bench" });
await tenancy.tenants.setQuotas(tenantId, { requests_per_minute: 1_000_000 });
const { token } = await tenancy.tokens.create({ tenantId, scopes: [], expiresInDays: 1 });
answerQuestions(
  {
    http: `${url}/mcp`,
    rpc: `${url}/api/mcp/rpc/`,
    ws: `${url.replace("http", "ws")}/ws/mcp/?token=${token}&tenant_id=${tenantId}`,
    token,
    tenantId,
  },
  async () => {
    await node.stop();
    await rm(dataDir, { recursive: true, force: true });
  },
);
