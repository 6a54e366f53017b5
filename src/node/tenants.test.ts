import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { startTestTenancy, type TestTenancy } from "../tenancy/testing.ts";
import type { StreamingSession, WebRTCStreamingManager } from "../webrtc/index.ts";
import { tenantViewers } from "./tenants.ts";

const CID = "bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy";

/** A session that sends as many bytes as it is told to. */
class FakeSession {
  sent = 0;
  closedBecause: string | undefined;
  #listeners = new Set<(event: { type: "state"; state: string }) => void>();

  onEvent(listener: (event: { type: "state"; state: string }) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
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
  const manager = {
    async createOffer() {
      const session = new FakeSession();
      sessions.push(session);
      return { session: session as unknown as StreamingSession, sdp: "v=0" };
    },
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
    const viewers = tenantViewers(manager, t.tenancy, t.clock);
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
