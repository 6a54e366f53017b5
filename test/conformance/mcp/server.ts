import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import {
  localhostAllowedHostnames,
  localhostAllowedOrigins,
  validateHostHeader,
  validateOriginHeader,
} from "@modelcontextprotocol/server";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  EventBus,
  noMetrics,
  ownerPrincipal,
  type Principal,
  silentLogger,
  systemClock,
} from "../../../src/core/index.ts";
import { createMcp, type Mcp } from "../../../src/mcp/index.ts";
import { openDatabase } from "../../../src/store/index.ts";
import { createTenancy, tenancyMigrations, type TenancyEvents } from "../../../src/tenancy/index.ts";
import { conformanceProfile, type Triggers } from "./profile.ts";

/** A server of the product's own code with the suites' fixtures, on loopback, for anybody. */
export interface ConformanceServer extends AsyncDisposable {
  readonly url: string;
  readonly mcp: Mcp;
}

export async function startConformanceServer(): Promise<ConformanceServer> {
  const directory = mkdtempSync(join(tmpdir(), "cidcast-conformance-"));
  const database = await openDatabase({ file: ":memory:", migrations: tenancyMigrations });
  const common = { clock: systemClock, log: silentLogger, metrics: noMetrics };
  const tenancy = await createTenancy(
    { keyDirectory: directory },
    { ...common, database, events: new EventBus<TenancyEvents>(silentLogger) },
  );
  let changes = 0;
  const triggers: Triggers = {
    toolsChanged: () =>
      mcp.registerTool({ name: `changed_${++changes}`, description: "New", handler: () => "ok" }),
    promptsChanged: () => mcp.promptsChanged(),
  };
  const mcp = createMcp(
    {
      version: "0.0.0",
      filesDirectory: directory,
      adminKey: "x",
      baseUrl: () => "http://127.0.0.1",
      extensions: conformanceProfile(triggers),
    },
    { ...common, tenancy },
  );
  const http = createServer((request, response) => {
    serveHttp(mcp, request, response).catch(() => response.destroy());
  });
  await new Promise<void>(resolve => http.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(http.address() as AddressInfo).port}/mcp`,
    mcp,
    async [Symbol.asyncDispose]() {
      http.closeAllConnections();
      http.close();
      await mcp.stop();
      await tenancy.stop();
      await database.close();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

/** Hands a request to the MCP server, with the checks of Host and Origin that the product's HTTP door has. */
export async function serveHttp(
  mcp: Mcp,
  incoming: IncomingMessage,
  outgoing: ServerResponse,
  principal: Principal = ownerPrincipal,
): Promise<void> {
  const { host = "", origin } = incoming.headers;
  const allowed =
    validateHostHeader(host, localhostAllowedHostnames()).ok &&
    validateOriginHeader(origin, localhostAllowedOrigins()).ok;
  if (!allowed) {
    outgoing.writeHead(403).end();
    return;
  }
  await mcp.serveHttp(incoming, outgoing, principal);
}
