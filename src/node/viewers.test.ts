import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { startTestTenancy, type TestTenancy } from "../tenancy/testing.ts";
import { ownerPrincipal } from "../core/index.ts";
import type { SessionInit, StreamingSession, WebRTCStreamingManager } from "../webrtc/index.ts";
import { tenantViewers } from "./viewers.ts";

const CID = "bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy";

/** A session that sends as many bytes as it is told to. */
class FakeSession {
  readonly id = `pc_${Math.random()}`;
  readonly answers: string[] = [];
  readonly qualities: string[] = [];
  sent = 0;
  closedBecause: string | undefined;
  #listeners = new Set<(event: { type: "state"; state: string }) => void>();

  onEvent(listener: (event: { type: "state"; state: string }) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async answer(sdp: string): Promise<void> {
    this.answers.push(sdp);
  }

  async setQuality(quality: string): Promise<{ readonly success: boolean }> {
    this.qualities.push(quality);
    return { success: true };
  }

  async stats(): Promise<Record<string, unknown>> {
    return { bytes_sent: this.sent };
  }

  async close(reason: string): Promise<void> {
    this.closedBecause ??= reason;
    for (const listener of this.#listeners) listener({ type: "state", state: "closed" });
  }
}

/** Opens fake sessions; the rest of a manager is not asked for. */
function fakeManager(): { readonly manager: WebRTCStreamingManager; readonly sessions: FakeSession[] } {
  const sessions: FakeSession[] = [];
  const open = async ({ quality }: SessionInit) => {
    const session = new FakeSession();
    if (quality !== undefined) session.qualities.push(quality);
    sessions.push(session);
    return { session: session as unknown as StreamingSession, sdp: "v=0" };
  };
  const manager = {
    createOffer: open,
    createAnswer: open,
    session: (id: string) => sessions.find(session => session.id === id),
    sessions: () => sessions,
  };
  return { manager: manager as unknown as WebRTCStreamingManager, sessions };
}

const settled = (): Promise<void> => new Promise(resolve => setImmediate(resolve));

describe("viewers of a tenant", () => {
  let t: TestTenancy;
  beforeEach(async () => {
    t = await startTestTenancy();
  });
  afterEach(() => t[Symbol.asyncDispose]());

  const open = async (quotas: object) => {
    const { tenantId, token, tokenId } = await t.tenant("acme", ["media"]);
    await t.tenancy.tenants.setQuotas(tenantId, quotas);
    await t.tenancy.content.grant(tenantId, { cid: CID, name: undefined, size: 1, contentType: "video/mp4" });
    const principal = await t.tenancy.resolveToken(token, { door: "ws" });
    const { manager, sessions } = fakeManager();
    const viewers = tenantViewers(manager, t.tenancy, { clock: t.clock });
    const play = () => viewers.createOffer({ cid: CID, principal, owner: "viewer" });
    return { play, sessions, tokenId };
  };

  test("are sent no more in a day than the quota, and end when it is used up", async () => {
    const { play, sessions } = await open({ egress_bytes_per_day: 1000 });
    await play();
    const [session] = sessions;
    session!.sent = 900;
    t.clock.advance(1000);
    await settled();
    expect(session!.closedBecause).toBeUndefined();
    session!.sent = 1001;
    t.clock.advance(1000);
    await settled();
    expect(session!.closedBecause).toBe("the tenant's bytes of the day are used up");
    await expect(play()).rejects.toMatchObject({ code: "LIMIT_REACHED" });
    t.clock.advance(24 * 3600 * 1000);
    await play();
    expect(sessions).toHaveLength(2);
  });

  test("with a token for one viewer have to be that viewer, at every door", async () => {
    const viewerKey = Buffer.alloc(32, 0xab).toString("base64url");
    const made = await t.tenancy.playback.create(ownerPrincipal, {
      cid: CID,
      expiresInSeconds: 60,
      viewerKey,
    });
    const principal = await t.tenancy.resolveToken(made.token, { door: "ws", playback: true });
    const { manager, sessions } = fakeManager();
    const viewers = tenantViewers(manager, t.tenancy, { clock: t.clock });
    const init = { cid: CID, principal, owner: "viewer" };
    const line = (byte: string) =>
      `a=fingerprint:sha-256 ${Array.from({ length: 32 }, () => byte).join(":")}`;
    const [right, wrong] = [line("AB"), line("AC")];
    const refused = [wrong, "", `${right}\r\n${wrong}`, `a=fingerprint:sha-1 AB:AB\r\n${right}`];
    const { session } = await viewers.createOffer(init);
    // The signalling asks for the session by its id.
    for (const sdp of refused) {
      for (const seen of [session, viewers.session(session.id)!, viewers.sessions()[0]!]) {
        await expect(seen.answer(`v=0\r\n${sdp}\r\n`)).rejects.toMatchObject({ code: "FORBIDDEN" });
      }
      const offer = viewers.createAnswer({ ...init, offerSdp: `v=0\r\n${sdp}\r\n` });
      await expect(offer).rejects.toMatchObject({ code: "FORBIDDEN" });
    }
    expect(sessions).toHaveLength(1);
    await viewers.session(session.id)!.answer(`v=0\r\n${right}\r\n`);
    await viewers.createAnswer({ ...init, offerSdp: `v=0\r\n${right}\r\n` });
    expect([sessions.length, sessions[0]!.answers.length]).toEqual([2, 1]);
    t.clock.advance(60_000);
    expect(sessions.map(each => each.closedBecause)).toEqual([
      "the token is good no longer",
      "the token is good no longer",
    ]);
  });

  test("get no better quality than their token allows", async () => {
    const init = { cid: CID, expiresInSeconds: 60, maxQuality: "medium" } as const;
    const { token } = await t.tenancy.playback.create(ownerPrincipal, init);
    const principal = await t.tenancy.resolveToken(token, { door: "ws", playback: true });
    const { manager, sessions } = fakeManager();
    const viewers = tenantViewers(manager, t.tenancy, { clock: t.clock });
    const { session } = await viewers.createOffer({ cid: CID, principal, owner: "viewer" });
    for (const quality of ["auto", "very_high", "low", "medium"] as const) await session.setQuality(quality);
    expect(sessions[0]!.qualities).toEqual(["medium", "medium", "medium", "low", "medium"]);
  });

  test("are as many at a time as the quota says, and end with their token", async () => {
    const { play, sessions, tokenId } = await open({ viewers: 1 });
    await play();
    await expect(play()).rejects.toMatchObject({ code: "LIMIT_REACHED" });
    await sessions[0]!.close("left");
    await play();
    await t.tenancy.revokeToken(tokenId);
    expect(sessions[1]!.closedBecause).toBe("the token is good no longer");
  });
});
