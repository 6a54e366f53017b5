import { attenuatePlaybackToken } from "@cidcast/protocols/playback";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { ownerPrincipal, type Principal, scopeAuthoriser } from "../../core/index.ts";
import { MAX_FAILED_ATTEMPTS, MAX_PLAYBACK_TOKENS_PER_TENANT } from "../limits.ts";
import { startTestTenancy, type TestTenancy } from "../testing.ts";

const CID = "bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy";
const OTHER = "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku";
const HOUR_MS = 3_600_000;

describe("playback tokens", () => {
  let t: TestTenancy;
  let issuer: Principal;
  let tenant: { readonly tenantId: string; readonly tokenId: string };
  beforeEach(async () => {
    t = await startTestTenancy();
    const made = await t.tenant("acme", ["media"]);
    tenant = made;
    issuer = await t.tenancy.resolveToken(made.token, { door: "http" });
  });
  afterEach(() => t[Symbol.asyncDispose]());
  const resolve = (text: string, options: object = {}) =>
    t.tenancy.resolveToken(text, { door: "http", playback: true, ...options });
  const make = (who: Principal = issuer, init: object = {}) =>
    t.tenancy.playback.create(who, { cid: CID, expiresInSeconds: 3600, ...init });
  const refused = expect.objectContaining({ code: "UNAUTHENTICATED" });

  test("let their holder have that content, and nothing else", async () => {
    const { token } = await make(issuer, { manifest: OTHER });
    const principal = await resolve(token);
    expect(principal).toMatchObject({ tenantId: tenant.tenantId, capability: { cids: [CID, OTHER] } });
    const may = (action: Parameters<typeof scopeAuthoriser.authorise>[1], cid?: string) => () =>
      scopeAuthoriser.authorise(principal, action, cid === undefined ? undefined : { cid });
    for (const ref of [CID, `${CID}/a/b.mp4`, `/ipfs/${CID}`, OTHER]) {
      expect(may("media:play", ref)).not.toThrow();
      expect(may("content:read", ref)).not.toThrow();
    }
    expect(may("media:play", `${CID}x`)).toThrow("made for other content");
    expect(may("content:read", `x/${CID}`)).toThrow("made for other content");
    for (const action of [
      "content:list",
      "content:add",
      "media:share",
      "node:status",
      "rooms:join",
    ] as const) {
      expect(may(action)).toThrow(expect.objectContaining({ code: "FORBIDDEN" }));
    }
  });

  test("are taken only where each piece of content is asked about", async () => {
    const { token } = await make();
    await expect(t.tenancy.resolveToken(token, { door: "ws" })).rejects.toThrow(refused);
  });

  test("are made weaker by their holder, and never stronger", async () => {
    const { token } = await make();
    const weaker = await attenuatePlaybackToken(token, { maxQuality: "medium" });
    const back = await attenuatePlaybackToken(weaker, { maxQuality: "very_high", exp: 9_999_999_999 });
    const principal = await resolve(back);
    expect(principal.capability?.maxQuality).toBe("medium");
    t.clock.advance(HOUR_MS);
    expect(t.tenancy.isLive(principal)).toBe(false);
    await expect(resolve(back)).rejects.toThrow(refused);
  });

  test("that were changed, cut or made up are refused, and guesses are counted", async () => {
    const { token } = await make();
    const weaker = await attenuatePlaybackToken(token, { maxQuality: "low" });
    const [grant = "", , signature = ""] = weaker.split(".");
    const changed = Buffer.from(
      Buffer.from(grant.slice(4), "base64url").toString().replace(CID, OTHER),
    ).toString("base64url");
    for (const bad of [
      `${grant}.${signature}`,
      `ccp_${changed}.${token.split(".")[1]}`,
      `${token.slice(0, -2)}AA`,
      "ccp_",
      "ccp_x",
    ]) {
      await expect(resolve(bad)).rejects.toThrow(refused);
    }
    const remoteAddress = "192.0.2.1";
    for (let n = 0; n < MAX_FAILED_ATTEMPTS; n++) {
      await expect(resolve("ccp_x.y", { remoteAddress })).rejects.toThrow(refused);
    }
    await expect(resolve(token, { remoteAddress })).rejects.toMatchObject({ code: "LIMIT_REACHED" });
    await expect(resolve(token, { tenantId: "somebody" })).rejects.toMatchObject({ code: "FORBIDDEN" });
  });

  test.each([
    ["revoked", () => t.tenancy.playback.revoke(issuer, id)],
    ["left without the token that made them", () => t.tenancy.revokeToken(tenant.tokenId)],
    ["left without their tenant", () => t.tenancy.deactivateTenant(tenant.tenantId)],
  ])("end at once when they are %s, also those made from them", async (_how, end) => {
    const made = await make();
    id = made.id;
    const weaker = await attenuatePlaybackToken(made.token, { maxQuality: "low" });
    const principal = await resolve(weaker);
    let ended = 0;
    t.tenancy.watch(principal, () => ended++);
    await end();
    expect([ended, t.tenancy.isLive(principal)]).toEqual([1, false]);
    await expect(resolve(made.token)).rejects.toThrow(refused);
    await expect(resolve(weaker)).rejects.toThrow(refused);
    // Nor after a restart, when nothing of it is remembered.
    await using again = await startTestTenancy({ database: t.database, keyDirectory: t.keyDirectory });
    await expect(again.tenancy.resolveToken(made.token, { door: "ws", playback: true })).rejects.toThrow(
      refused,
    );
  });
  let id = "";

  test("outlive a restart, but not their time or that of the token that made them", async () => {
    const { token, expiresAtMs } = await make(issuer, { expiresInSeconds: 14 * 24 * 3600 });
    expect(expiresAtMs).toBe(t.clock.now() + 14 * 24 * HOUR_MS);
    {
      await using again = await startTestTenancy({ database: t.database, keyDirectory: t.keyDirectory });
      await again.tenancy.resolveToken(token, { door: "http", playback: true });
    }
    const principal = await resolve(token);
    let ended = false;
    t.tenancy.watch(principal, () => (ended = true));
    t.clock.advance(14 * 24 * HOUR_MS);
    expect(ended).toBe(true);
    t.clock.advance(14 * 24 * HOUR_MS);
    // The tenant's own token has two days left.
    const late = await make(issuer, { expiresInSeconds: 14 * 24 * 3600 });
    expect(late.expiresAtMs).toBe(t.clock.now() + 2 * 24 * HOUR_MS);
  });

  test("are listed and revoked by who they belong to, and by nobody else", async () => {
    const ofOwner = await make(ownerPrincipal);
    const ofTenant = await make();
    const ids = async (who: Principal) => (await t.tenancy.playback.list(who)).map(each => each.id);
    expect([await ids(ownerPrincipal), await ids(issuer)]).toEqual([[ofOwner.id], [ofTenant.id]]);
    await expect(t.tenancy.playback.revoke(issuer, ofOwner.id)).rejects.toMatchObject({ code: "NOT_FOUND" });
    expect((await resolve(ofOwner.token)).tenantId).toBeUndefined();
    t.clock.advance(HOUR_MS);
    expect(await ids(issuer)).toEqual([]);
  });

  test("are bounded in number", async () => {
    const db = t.database.tables<{ tenancy_playback: Record<string, unknown> }>();
    const row = { tenant_id: tenant.tenantId, issued_by: "", cid: CID, is_active: 1, created_at_ms: 0 };
    const rows = Array.from({ length: MAX_PLAYBACK_TOKENS_PER_TENANT }, (_, n) => ({
      ...row,
      id: `p${n}`,
      expires_at_ms: t.clock.now() + HOUR_MS,
    }));
    for (let n = 0; n < rows.length; n += 1000) {
      await db
        .insertInto("tenancy_playback")
        .values(rows.slice(n, n + 1000))
        .execute();
    }
    await expect(make()).rejects.toMatchObject({ code: "LIMIT_REACHED" });
    t.clock.advance(HOUR_MS);
    await make();
  });
});
