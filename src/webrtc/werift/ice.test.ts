import { createSocket, type Socket } from "node:dgram";
import { on, once } from "node:events";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type Ends, twoEnds, type Watched, watched } from "../testing/pairs.ts";
import { BINDING_REQUEST, BINDING_RESPONSE, check, stunHead } from "../testing/stun.ts";

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
async function answered(): Promise<{ readonly username: string; readonly password: string }> {
  const [server, viewer] = [watched(ends.factories[0]), watched(ends.factories[1])];
  open.push(server, viewer);
  const offer = (await viewer.peer.createOffer()).replaceAll(
    ` ${ends.muxes[1].address.port} typ host`,
    ` ${socket.address().port} typ host`,
  );
  const answer = await server.peer.createAnswer(offer);
  const username = `${field(answer, "ice-ufrag")}:${field(offer, "ice-ufrag")}`;
  return { username, password: field(answer, "ice-pwd") };
}

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
});
