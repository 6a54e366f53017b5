import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { exportJWK, generateKeyPair, SignJWT } from "jose";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { ownerPrincipal } from "../core/index.ts";
import { MAX_OAUTH_TOKEN_LENGTH } from "./limits.ts";
import { type Json, startTestMcp, type TestMcp } from "./testing.ts";

const AUDIENCE = "https://node.example/mcp";
const ISSUER = "https://issuer.example";

describe("access tokens of an authorisation server", () => {
  let keys: Awaited<ReturnType<typeof generateKeyPair>>;
  let server: Server;
  let s: TestMcp;
  let tenantId: string;
  let serving = true;
  beforeEach(async () => {
    serving = true;
    keys = await generateKeyPair("ES256", { extractable: true });
    const jwk = { ...(await exportJWK(keys.publicKey)), kid: "k1", alg: "ES256", use: "sig" };
    server = createServer((_request, response) => {
      if (!serving) return void response.writeHead(500).end();
      return void response.setHeader("content-type", "application/json").end(JSON.stringify({ keys: [jwk] }));
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    // The address of a TCP server is an object.
    const { port } = server.address() as AddressInfo;
    s = await startTestMcp({
      oauth: {
        issuer: ISSUER,
        audience: AUDIENCE,
        jwksUrl: `http://127.0.0.1:${port}/keys`,
        tenantClaim: "tenant_id",
      },
    });
    ({ tenantId } = await s.t.tenant("acme", []));
  });
  afterEach(async () => {
    await s[Symbol.asyncDispose]();
    server.closeAllConnections();
    server.close();
  });

  interface Claims {
    readonly issuer?: string;
    readonly audience?: string;
    readonly tenant?: string;
    readonly scope?: string;
    readonly seconds?: number;
  }
  const sign = async (claims: Claims = {}, key = keys.privateKey): Promise<string> => {
    const now = Math.floor(s.t.clock.now() / 1000);
    const { issuer = ISSUER, audience = AUDIENCE, tenant = tenantId, scope = "basic", seconds = 60 } = claims;
    return new SignJWT({ scope, tenant_id: tenant })
      .setProtectedHeader({ alg: "ES256", kid: "k1" })
      .setIssuer(issuer)
      .setAudience(audience)
      .setSubject("somebody")
      .setIssuedAt(now)
      .setExpirationTime(now + seconds)
      .sign(key);
  };
  const ask = (token: string, body: object): Promise<Response> =>
    s.mcp.fetch(
      new Request("http://127.0.0.1/mcp", {
        method: "POST",
        headers: {
          "content-type": "application/json",
          accept: "application/json, text/event-stream",
          authorization: `Bearer ${token}`,
        },
        body: JSON.stringify({ jsonrpc: "2.0", id: 1, ...body }),
      }),
      // On loopback everybody without a token is the owner: who shows one is its tenant all the same.
      { principal: ownerPrincipal },
    );
  const LIST = { method: "tools/list", params: {} };

  test("are their tenant, with the scopes they name and no others", async () => {
    const names = async (scope: string) => {
      const answer = await ask(await sign({ scope }), LIST);
      const { result } = (await answer.json()) as Json;
      return result.tools.map((tool: { name: string }) => tool.name);
    };
    expect(await names("basic unknown *")).toEqual(expect.arrayContaining(["echo", "calculator"]));
    expect(await names("basic unknown *")).not.toContain("system_info");
    expect(await names("")).not.toContain("calculator");
    expect(await names("admin")).toContain("system_info");
    expect(s.t.tenancy.sessions.active(tenantId).length).toBeGreaterThan(0);
  });

  test("that are wrong are refused, and clients are told where to get one", async () => {
    const stranger = await generateKeyPair("ES256");
    const good = await sign();
    const [head, body] = good.split(".");
    const none = Buffer.from('{"alg":"none"}').toString("base64url");
    for (const bad of [
      await sign({ issuer: "https://other.example" }),
      await sign({ audience: "https://other.example/mcp" }),
      await sign({ tenant: "nobody" }),
      await sign({ seconds: -60 }),
      await sign({}, stranger.privateKey),
      `${head}.${body}.AAAA`,
      `${none}.${body}.AAAA`,
      `${good}${"A".repeat(MAX_OAUTH_TOKEN_LENGTH)}`,
    ]) {
      const answer = await ask(bad, LIST);
      expect(answer.status).toBe(401);
      expect(answer.headers.get("www-authenticate")).toBe(
        'Bearer resource_metadata="https://node.example/.well-known/oauth-protected-resource/mcp"',
      );
    }
    expect((await ask(good, LIST)).status).toBe(200);
    expect(s.mcp.oauth).toMatchObject({
      metadataPaths: ["/.well-known/oauth-protected-resource", "/.well-known/oauth-protected-resource/mcp"],
      metadata: { resource: AUDIENCE, authorization_servers: [ISSUER] },
    });
  });

  test("end with their time and their tenant", async () => {
    const token = await sign({ seconds: 60 });
    const later = await sign({ seconds: 600 });
    const ended: string[] = [];
    const adopt = async (text: string, name: string) =>
      s.t.tenancy.watch(await s.mcp.oauth!.principalOf(text, undefined), reason =>
        ended.push(`${name} ${reason}`),
      );
    await adopt(token, "first");
    await adopt(later, "second");
    s.t.clock.advance(66_000);
    expect(ended).toEqual(["first token_expired"]);
    expect((await ask(token, LIST)).status).toBe(401);
    await s.t.tenancy.deactivateTenant(tenantId);
    expect(ended).toEqual(["first token_expired", "second tenant_deactivated"]);
    expect((await ask(later, LIST)).status).toBe(401);
  });

  test("are not refused as wrong when the keys cannot be read", async () => {
    serving = false;
    expect((await ask(await sign(), LIST)).status).toBe(503);
    serving = true;
    expect((await ask(await sign(), LIST)).status).toBe(200);
  });
});
