import { createReadStream } from "node:fs";
import { SCOPE_NAMES } from "@cidcast/protocols/tenancy";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { callPeer } from "../../../src/p2p/index.ts";
import { startPeer, type TestPeer } from "../../../src/p2p/test-support.ts";
import { TestClient } from "../../sockets/socket-server.ts";
import { type ServedNode, serveNode } from "./serve-node.ts";
import { bytesOf, makeTenant, rpcOf, type Who } from "./tenant-client.ts";

const SAMPLE = new URL("../../../samples/sample-720p.mp4", import.meta.url);

vi.setConfig({ testTimeout: 60_000, hookTimeout: 120_000 });

let served: ServedNode;
let stranger: TestPeer;
beforeAll(async () => {
  served = await serveNode({
    webrtc: { enabled: true },
    p2p: { enabled: true, listen: ["/ip4/127.0.0.1/tcp/0"] },
    mcp: { ipfsNames: true },
  });
  stranger = await startPeer();
  await stranger.peer.connectToPeer(String(served.node.peer?.multiaddrs[0]));
});
afterAll(async () => {
  await stranger?.peer.stop();
  await served?.[Symbol.asyncDispose]();
});

const tenant = (scopes: readonly string[]) => makeTenant(served, scopes);
const rpc = (who: Who, method: string, params?: object) => rpcOf(served, who, method, params);

async function http({ token }: Who, method: string, path: string, body?: string): Promise<string> {
  const response = await fetch(`${served.url}${path}`, {
    method,
    headers: {
      authorization: `Bearer ${token}`,
      ...(body !== undefined && { "content-type": "application/json" }),
    },
    body: body ?? null,
  });
  return `${response.status} ${response.headers.get("content-type")} ${await response.text()}`;
}

/** Everything that is somebody else's, and the like of it that is nobody's. */
async function things() {
  const owner = await tenant(["content:read", "content:write", "media", "events", "peers"]);
  const { content, webrtc, tenancy, prepare, transfers } = served.node;
  const view = tenancy!.contentView(content, owner.tenantId);
  const file = await view.add(createReadStream(SAMPLE), { name: "secret-name.mp4" });
  const entries = async function* () {
    yield { path: "deep/inner.txt", content: bytesOf("inner") };
  };
  const directory = await view.addDirectory(entries(), { name: "secret-folder" });
  const inner = (await content.resolve(`${directory.cid}/deep/inner.txt`)).cid;
  const principal = await tenancy!.resolveToken(owner.token, { door: "ws" });
  const { session } = await webrtc!.createOffer({ cid: file.cid, owner: "somebody", principal });
  const playback = await tenancy!.playback.create(principal, { cid: file.cid, expiresInSeconds: 60 });
  const job = await prepare.submit(file.cid, { owner: owner.tenantId });
  const transfer = await transfers.begin({ cid: NOBODYS.cid, from: ["http://127.0.0.1:9"] });
  return {
    owner,
    cids: [file.cid, directory.cid, inner],
    session: session.id,
    playback: playback.id,
    job: job.id,
    transfer: transfer.id,
    async [Symbol.asyncDispose]() {
      await session.close();
      await prepare.cancel(job.id).catch(() => undefined);
    },
  };
}
const NOBODYS = {
  cid: "bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy",
  session: "pc_00000000-0000-4000-8000-000000000000",
  id: "00000000-0000-4000-8000-000000000000",
};

describe("a tenant that asks for another's things", () => {
  test("is answered at every door as if they were nobody's", async () => {
    await using others = await things();
    const me = await tenant(SCOPE_NAMES);
    /** The answer for somebody's id and for nobody's differ in the id alone. */
    const same = async (
      what: string,
      theirs: string,
      nobodys: string,
      ask: (id: string) => Promise<string>,
    ) => {
      const [one, two] = [await ask(theirs), await ask(nobodys)];
      expect([what, one.replaceAll(theirs, "ID")]).toEqual([what, two.replaceAll(nobodys, "ID")]);
    };
    for (const cid of others.cids) {
      for (const [method, path] of [
        ["GET", "/ipfs/CID"],
        ["GET", "/ipfs/CID/deep/inner.txt"],
        ["GET", "/ipfs/CID?format=raw"],
        ["GET", "/ipfs/CID?format=car"],
        ["HEAD", "/ipfs/CID"],
        ["GET", "/api/v0/content/CID"],
        ["DELETE", "/api/v0/content/CID"],
        ["GET", "/api/v0/stat/CID"],
        ["GET", "/api/v0/cat/CID"],
        ["GET", "/api/v0/ls/CID"],
        ["GET", "/api/v0/probe/CID"],
        ["POST", "/api/v0/pin/CID"],
        ["DELETE", "/api/v0/pin/CID"],
        ["POST", "/whep/CID"],
        ["GET", "/sse/stream/CID"],
      ] as const) {
        await same(`${method} ${path}`, cid, NOBODYS.cid, id => http(me, method, path.replace("CID", id)));
      }
      await same("POST /api/v0/playback-tokens", cid, NOBODYS.cid, id =>
        http(me, "POST", "/api/v0/playback-tokens", JSON.stringify({ cid: id })),
      );
      await same("POST /api/v0/prepare", cid, NOBODYS.cid, id =>
        http(me, "POST", "/api/v0/prepare", JSON.stringify({ cid: id })),
      );
      const onRefs = [
        "content_stat",
        "media_probe",
        "media_frame",
        "media_captions",
        "play",
        "media_prepare",
      ];
      for (const name of onRefs) {
        await same(name, cid, NOBODYS.cid, async id =>
          JSON.stringify(await rpc(me, "tools/call", { name, arguments: { ref: id } })),
        );
      }
      for (const name of ["content_pin", "content_unpin", "content_remove", "transfer"]) {
        const more = name === "transfer" ? { from: ["http://127.0.0.1:9"] } : { confirm: true };
        await same(name, cid, NOBODYS.cid, async id =>
          JSON.stringify(await rpc(me, "tools/call", { name, arguments: { cid: id, ...more } })),
        );
      }
      for (const name of ["ipfs_cat", "ipfs_get", "ipfs_ls", "ipfs_pin_add", "ipfs_pin_rm"]) {
        await same(name, cid, NOBODYS.cid, async id =>
          JSON.stringify(await rpc(me, "tools/call", { name, arguments: { hash: id } })),
        );
      }
      for (const path of ["", "/deep/inner.txt"]) {
        await same(`resource${path}`, cid, NOBODYS.cid, async id =>
          JSON.stringify(await rpc(me, "resources/read", { uri: `ipfs://${id}${path}` })),
        );
      }
      await same("completion", cid, NOBODYS.cid, async id => {
        const ref = { type: "ref/resource", uri: "ipfs://{cid}" };
        const argument = { name: "cid", value: id.slice(0, 20) };
        return JSON.stringify(await rpc(me, "completion/complete", { ref, argument }));
      });
      for (const action of ["get_content", "stat", "pin", "unpin"] as const) {
        await same(`libp2p ${action}`, cid, NOBODYS.cid, id =>
          callPeer(stranger.peer, served.node.peer!.id, { action, cid: id, token: me.token }).then(
            reply => JSON.stringify(reply),
            (error: Error) => error.message,
          ),
        );
      }
    }
    for (const name of ["job_status", "job_cancel"]) {
      await same(name, others.job, NOBODYS.id, async id =>
        JSON.stringify(await rpc(me, "tools/call", { name, arguments: { job_id: id } })),
      );
    }
    await same("why_stalled", others.session, NOBODYS.session, async id =>
      JSON.stringify(await rpc(me, "tools/call", { name: "why_stalled", arguments: { session_id: id } })),
    );
    await same("transfer_status", others.transfer, NOBODYS.id, async id =>
      JSON.stringify(
        await rpc(me, "tools/call", { name: "transfer_status", arguments: { transfer_id: id } }),
      ),
    );
    for (const [method, path, theirs, nobodys] of [
      ["GET", "/api/v0/jobs/ID", others.job, NOBODYS.id],
      ["DELETE", "/api/v0/jobs/ID", others.job, NOBODYS.id],
      ["GET", "/api/v0/transfers/ID", others.transfer, NOBODYS.id],
      ["POST", "/api/v0/transfers/ID/cancel", others.transfer, NOBODYS.id],
      ["DELETE", "/api/v0/playback-tokens/ID", others.playback, NOBODYS.id],
      ["PATCH", "/whep/sessions/ID", others.session, NOBODYS.session],
      ["DELETE", "/whep/sessions/ID", others.session, NOBODYS.session],
    ] as const) {
      await same(`${method} ${path}`, theirs, nobodys, id => http(me, method, path.replace("ID", id)));
    }
    // Nothing of it was touched.
    expect(served.node.webrtc!.session(others.session)).toBeDefined();
    for (const cid of others.cids.slice(0, 2)) {
      expect(await http(others.owner, "GET", `/api/v0/content/${cid}`)).toMatch(/^200 /);
    }
  });

  test("gets no session of it over signalling, and hears nothing of it", async () => {
    await using others = await things();
    const me = await tenant(SCOPE_NAMES);
    using socket = await TestClient.open(`${served.wsUrl}/webrtc?token=${me.token}`);
    for (const type of ["get_stats", "close", "answer", "candidate", "control"]) {
      const answers: string[] = [];
      for (const id of [others.session, NOBODYS.session]) {
        socket.send({
          type,
          pc_id: id,
          sdp: "v=0",
          sdpType: "answer",
          candidate: "",
          command: { type: "get_state" },
        });
        socket.send({ type: "get_stats", pc_id: "pc_fence" });
        const heard: string[] = [];
        for (let frame = await socket.text(); !frame.includes("pc_fence"); frame = await socket.text()) {
          heard.push(frame.replaceAll(id, "ID"));
        }
        answers.push(heard.join());
      }
      expect([type, answers[0]]).toEqual([type, answers[1]]);
    }
    using listener = await TestClient.open(`${served.wsUrl}/ws/notifications?token=${me.token}`);
    await listener.next();
    listener.send({
      action: "subscribe",
      notification_types: ["all_events"],
      filters: { cid: others.cids[0] },
    });
    await listener.next();
    const { content, tenancy, notify } = served.node;
    await tenancy!.contentView(content, others.owner.tenantId).pin(others.cids[0] ?? "", { name: "again" });
    listener.send({ action: "get_history", limit: 1000 });
    const history = await listener.until(frame => frame["type"] === "history");
    expect(JSON.stringify(history)).not.toContain(others.cids[0]);
    listener.send({ action: "subscribe", notification_types: ["all_events"], filters: {} });
    await listener.until(frame => frame["type"] === "subscription_confirmed");
    notify!.emitEvent("system_info", { message: "fence" }, { tenantId: me.tenantId });
    const heard: unknown[] = [];
    for (;;) {
      const frame = await listener.next();
      if (JSON.stringify(frame).includes("fence")) break;
      heard.push(frame);
    }
    expect(heard).toEqual([]);
  });
});

describe("a tenant that knows where another uploads, or in which room it is", () => {
  test("neither goes on with the upload nor learns of it", async () => {
    const [owner, me] = [await tenant(["content:write"]), await tenant(SCOPE_NAMES)];
    const tus = { "tus-resumable": "1.0.0" };
    const ask = (who: Who, method: string, id: string, headers: Record<string, string> = {}, body?: string) =>
      fetch(`${served.url}/api/v0/uploads${id}`, {
        method,
        headers: { authorization: `Bearer ${who.token}`, ...tus, ...headers },
        ...(body !== undefined && { body }),
      });
    const made = await ask(owner, "POST", "", { "upload-length": "8" });
    const id = made.headers.get("location")?.split("/").at(-1) ?? "";
    expect([made.status, id.length > 8]).toEqual([201, true]);
    const none = id.replaceAll(/[\da-f]/g, "0");
    const patch = { "content-type": "application/offset+octet-stream", "upload-offset": "0" };
    for (const [method, headers, body] of [
      ["HEAD", {}, undefined],
      ["GET", {}, undefined],
      ["PATCH", patch, "stolen!!"],
      ["DELETE", {}, undefined],
    ] as const) {
      const told = async (which: string): Promise<string> => {
        const answer = await ask(me, method, `/${which}`, headers, body);
        return `${answer.status} ${(await answer.text()).replaceAll(which, "ID")}`;
      };
      expect([method, await told(id)]).toEqual([method, await told(none)]);
    }
    const left = await ask(owner, "HEAD", `/${id}`);
    expect([left.status, left.headers.get("upload-offset")]).toEqual([200, "0"]);
    expect((await ask(owner, "DELETE", `/${id}`)).status).toBe(204);
  });

  test("hears nobody in a room of that name, and reaches nobody", async () => {
    const [owner, me] = [await tenant(["events", "media"]), await tenant(SCOPE_NAMES)];
    const open = (who: Who, path: string) =>
      TestClient.open(`${served.wsUrl}${path}${path.includes("?") ? "&" : "?"}token=${who.token}`);
    using alice = await open(owner, "/ws/signaling/");
    alice.send({ type: "join", room: "secret-room", payload: { peer_id: "alice" } });
    const joined = await alice.until(frame => frame["type"] === "joined");
    const { resume_token: resume } = joined;
    expect(resume).toEqual(expect.any(String));
    using bob = await open(me, "/ws/signaling/");
    bob.send({ type: "join", room: "secret-room", payload: { peer_id: "bob" } });
    expect(JSON.stringify(await bob.until(frame => frame["type"] === "joined"))).not.toContain("alice");
    const told: string[] = [];
    for (const target of ["alice", "nobody"]) {
      const offer = { type: "offer", sdp: "v=0" };
      bob.send({ type: "offer", room: "secret-room", payload: { target_peer_id: target, offer } });
      const { timestamp: _, ...answer } = await bob.next();
      told.push(JSON.stringify(answer).replaceAll(target, "NAME"));
    }
    expect(told[0]).toBe(told[1]);
    // A token to take up somebody's place again is that tenant's alone.
    using thief = await open(me, "/ws/signaling/");
    thief.send({ type: "join", room: "secret-room", payload: { peer_id: "alice", resume_token: resume } });
    expect(await thief.text()).not.toContain("v=0");
    alice.send({ type: "join", room: "second-room", payload: { peer_id: "alice" } });
    expect(JSON.stringify(await alice.next())).not.toMatch(/bob|v=0/);
  });
});

describe("a token that is revoked takes with it what it began", () => {
  test("an answer that is being sent", async () => {
    const who = await tenant(["content:read", "content:write"]);
    const view = served.node.tenancy!.contentView(served.node.content, who.tenantId);
    const { cid } = await view.add(bytesOf("x".repeat(40 * 1024 * 1024)));
    const response = await fetch(`${served.url}/ipfs/${cid}`, {
      headers: { authorization: `Bearer ${who.token}` },
    });
    const reader = response.body!.getReader();
    expect((await reader.read()).done).toBe(false);
    await served.node.tenancy!.revokeToken(who.tokenId);
    const drained = async (): Promise<void> => {
      while (!(await reader.read()).done);
    };
    await expect(drained()).rejects.toThrow(/terminated|aborted|other side closed/);
  });

  test("an upload that is under way", async () => {
    const who = await tenant(["content:write"]);
    const pull = Promise.withResolvers<void>();
    let pulls = 0;
    const body = new ReadableStream<Uint8Array>({
      pull(controller) {
        pulls++;
        if (pulls === 3) pull.resolve();
        if (pulls < 3) controller.enqueue(Buffer.alloc(1000));
        // The rest never comes.
        return pulls < 3 ? undefined : new Promise(() => undefined);
      },
    });
    const init = { method: "POST", headers: { authorization: `Bearer ${who.token}` }, body, duplex: "half" };
    const answer = fetch(`${served.url}/api/v0/add`, init as RequestInit);
    answer.catch(() => undefined);
    await pull.promise;
    await served.node.tenancy!.revokeToken(who.tokenId);
    const ended = await answer.then(
      response => response.status,
      () => "cut off",
    );
    expect([401, "cut off"]).toContain(ended);
  });

  test("a viewer's session, and its sockets", async () => {
    const who = await tenant(["content:read", "content:write", "media", "events"]);
    const view = served.node.tenancy!.contentView(served.node.content, who.tenantId);
    const { cid } = await view.add(createReadStream(SAMPLE));
    using viewer = await TestClient.open(`${served.wsUrl}/webrtc?token=${who.token}`);
    viewer.send({ type: "offer_request", cid });
    const { pc_id: id } = await viewer.until(frame => frame["type"] === "offer");
    expect(served.node.webrtc!.session(String(id))).toBeDefined();
    using events = await TestClient.open(`${served.wsUrl}/ws/notifications?token=${who.token}`);
    await events.next();
    using room = await TestClient.open(`${served.wsUrl}/ws/signal/?room=a&token=${who.token}`);
    await served.node.tenancy!.revokeToken(who.tokenId);
    for (const socket of [viewer, events, room]) expect((await socket.closed).code).toBe(4001);
    await expect.poll(() => served.node.webrtc!.session(String(id))).toBeUndefined();
  });
});
