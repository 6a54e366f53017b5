import { createSocket, type Socket } from "node:dgram";
import { on, once } from "node:events";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type Ends, twoEnds, type Watched, watched } from "../testing/pairs.ts";
import { BINDING_REQUEST, BINDING_RESPONSE, check, NOMINATE, respond, stunHead } from "../testing/stun.ts";

const field = (sdp: string, name: string): string => new RegExp(`a=${name}:(\\S+)`).exec(sdp)?.[1] ?? "";
let ends: Ends;
let socket: Socket;
const open: Watched[] = [];
beforeEach(async () => {
  ends = await twoEnds();
  socket = createSocket("udp4");
  socket.bind(0, "127.0.0.1");
  await once(socket, "listening");
});
afterEach(async () => {
  for (const { peer } of open.splice(0)) await peer.close();
  socket.close();
  await ends[Symbol.asyncDispose]();
});

/** Our answer to a viewer whose only candidate is the test's socket. */
async function answered() {
  const [server, viewer] = [watched(ends.factories[0]), watched(ends.factories[1])];
  open.push(server, viewer);
  const offer = (await viewer.peer.createOffer()).replaceAll(
    ` ${ends.muxes[1].address.port} typ host`,
    ` ${socket.address().port} typ host`,
  );
  const answer = await server.peer.createAnswer(offer);
  const username = `${field(answer, "ice-ufrag")}:${field(offer, "ice-ufrag")}`;
  return { server, username, password: field(answer, "ice-pwd"), viewerPassword: field(offer, "ice-pwd") };
}

async function connected(): Promise<{ readonly server: Watched; readonly viewer: Watched }> {
  const [server, viewer] = [watched(ends.factories[0]), watched(ends.factories[1])];
  open.push(server, viewer);
  await server.peer.setAnswer(await viewer.peer.createAnswer(await server.peer.createOffer()));
  await Promise.all([server.controlOpen, viewer.controlOpen]);
  return { server, viewer };
}

/** What one end says is heard by the other. */
async function hears({ server, viewer }: { server: Watched; viewer: Watched }, text: string): Promise<void> {
  server.peer.sendControl(`${text} down`);
  viewer.peer.sendControl(`${text} up`);
  await expect.poll(() => viewer.messages, { timeout: 15_000 }).toContain(`${text} down`);
  await expect.poll(() => server.messages, { timeout: 15_000 }).toContain(`${text} up`);
}

describe("a restart of ICE", () => {
  it("by our offer gives both ends new credentials, and the connection goes on", async () => {
    const both = await connected();
    const { server, viewer } = both;
    const before = server.peer.path();
    const offer = await server.peer.offerRestart();
    expect(server.peer.path()).toEqual(before);
    // The viewer is one of ours as well, and so is told as a viewer of the node's is.
    const credentials = { ufrag: field(offer, "ice-ufrag"), password: field(offer, "ice-pwd") };
    const answer = await viewer.peer.restartIce(credentials);
    const sdp = offer
      .replaceAll(credentials.ufrag, answer.ufrag)
      .replaceAll(credentials.password, answer.password);
    await server.peer.setAnswer(sdp.replaceAll(/a=candidate:.*\r\n/g, ""));
    const [candidate = ""] = /candidate:.*$/m.exec(offer) ?? [];
    await viewer.peer.addCandidate({ candidate, sdpMLineIndex: 0 });
    expect(server.peer.path()).toBeDefined();
    await hears(both, "after one restart");
    const again = await server.peer.offerRestart();
    expect(field(again, "ice-ufrag")).not.toBe(credentials.ufrag);
    expect(/^o=.*$/m.exec(again)?.[0]).not.toBe(/^o=.*$/m.exec(offer)?.[0]);
    expect(ends.muxes[0].size).toBe(1);
  });

  it("is refused before there is a connection", async () => {
    const server = watched(ends.factories[0]);
    open.push(server);
    await server.peer.createOffer();
    await expect(server.peer.offerRestart()).rejects.toMatchObject({ code: "CONFLICT" });
    await expect(server.peer.restartIce({ ufrag: "a", password: "b" })).rejects.toMatchObject({
      code: "CONFLICT",
    });
  });
});

describe("connectivity checks", () => {
  it("answer a viewer's own check with a new one, which a viewer that came late sees at once", async () => {
    const messages = on(socket, "message", { signal: AbortSignal.timeout(20_000) });
    const next = async () => stunHead(((await messages.next()).value as [Buffer])[0]);
    const { username, password } = await answered();
    const first = await next();
    expect(first.type).toBe(BINDING_REQUEST);
    // That one is lost on a viewer without our answer. Its repetitions would have the same transaction.
    socket.send(check(username, password), ends.muxes[0].address.port, "127.0.0.1");
    const after: ReturnType<typeof stunHead>[] = [];
    while (
      !after.some(({ type, transaction }) => type === BINDING_REQUEST && transaction !== first.transaction)
    ) {
      after.push(await next());
    }
    const news = after.filter(({ transaction }) => transaction !== first.transaction);
    expect(news.map(({ type }) => type)).toEqual([BINDING_RESPONSE, BINDING_REQUEST]);
  });

  it("lead to where the viewer is now, when it nominates another address", async () => {
    const messages = on(socket, "message", { signal: AbortSignal.timeout(20_000) });
    const { username, password, viewerPassword, server } = await answered();
    const to = ends.muxes[0].address.port;
    const answer = async (from: Socket, message: Buffer): Promise<void> => {
      if (stunHead(message).type === BINDING_REQUEST)
        from.send(respond(message, viewerPassword, to), to, "127.0.0.1");
    };
    const other = createSocket("udp4");
    other.bind(0, "127.0.0.1");
    await once(other, "listening");
    other.on("message", message => void answer(other, message));
    void (async () => {
      for await (const [message] of messages) await answer(socket, message as Buffer);
    })().catch(() => undefined);
    const path = () => server.peer.path()?.port;
    socket.send(check(username, password, [NOMINATE]), to, "127.0.0.1");
    await expect.poll(path).toBe(socket.address().port);
    // One that only looks is answered, and changes nothing while the first one speaks.
    other.send(check(username, password), to, "127.0.0.1");
    await once(other, "message");
    expect(path()).toBe(socket.address().port);
    other.send(check(username, password, [NOMINATE]), to, "127.0.0.1");
    await expect.poll(path).toBe(other.address().port);
    other.close();
  });
});
