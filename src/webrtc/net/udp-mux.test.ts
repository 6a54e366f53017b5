import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import fc from "fast-check";
import { afterEach, describe, expect, it } from "vitest";
import { isCidcastError } from "../../core/index.ts";
import { stun } from "../testing/stun.ts";
import {
  MAX_ADDRESSES,
  MAX_EARLY_DTLS,
  MAX_PENDING_TRANSACTIONS,
  stunKind,
  stunLocalUfrag,
  UdpMux,
} from "./index.ts";

const open: { close(): unknown }[] = [];
afterEach(async () => {
  for (const entry of open.splice(0)) await entry.close();
});

async function mux(): Promise<UdpMux> {
  const created = await UdpMux.listen({ host: "127.0.0.1", port: 0 });
  open.push(created);
  return created;
}

async function client(): Promise<Socket> {
  const socket = createSocket("udp4");
  open.push(socket);
  socket.bind(0, "127.0.0.1");
  await once(socket, "listening");
  return socket;
}

const request = (ufrag: string, password?: string): Buffer =>
  stun(1, [[6, Buffer.from(`${ufrag}:theirs`)]], password);

/** Sends and waits until the mux has taken all of it. */
async function send(from: Socket, to: UdpMux, ...datagrams: Buffer[]): Promise<void> {
  const before = to.stats.received;
  for (const datagram of datagrams) from.send(datagram, to.address.port, "127.0.0.1");
  while (to.stats.received < before + datagrams.length) await once(to.socket, "message");
}

describe("one port for all viewers", () => {
  it("routes requests by ufrag and everything after them by address", async () => {
    const shared = await mux();
    const [a, b] = [shared.open("aaaa", "secret-a"), shared.open("bbbb", "secret-b")];
    const heard: string[] = [];
    for (const port of [a, b]) {
      port.onStun = () => heard.push(`${port.ufrags[0]} stun`);
      port.onMedia = () => heard.push(`${port.ufrags[0]} media`);
      port.takeDtls(() => heard.push(`${port.ufrags[0]} dtls`));
    }
    const [viewerA, viewerB] = [await client(), await client()];
    await send(viewerA, shared, request("aaaa", "secret-a"), Buffer.alloc(30, 128), Buffer.alloc(30, 22));
    await send(viewerB, shared, request("bbbb", "secret-b"), Buffer.alloc(30, 200), Buffer.alloc(30, 130));
    expect(heard).toEqual(["aaaa stun", "aaaa media", "aaaa dtls", "bbbb stun", "bbbb media"]);
  });

  it("takes no request without the right MESSAGE-INTEGRITY, and learns no address from it", async () => {
    const shared = await mux();
    const port = shared.open("aaaa", "secret");
    let heard = 0;
    port.onStun = () => heard++;
    port.onMedia = () => heard++;
    const attacker = await client();
    const forged = request("aaaa", "secret");
    forged[forged.length - 1] = (forged.at(-1) ?? 0) ^ 1;
    await send(attacker, shared, request("aaaa"), request("aaaa", "guess"), forged, Buffer.alloc(30, 128));
    expect(heard).toBe(0);
    expect(port.addresses.size).toBe(0);
    expect(shared.stats).toMatchObject({ refused: 3, unknown: 1 });
  });

  it("routes a response to whoever asked, once", async () => {
    const shared = await mux();
    const port = shared.open("aaaa", "secret");
    let heard = 0;
    port.onStun = () => heard++;
    const server = await client();
    const asked = stun(1, []);
    port.send(asked, "127.0.0.1", server.address().port);
    await once(server, "message");
    const answer = Buffer.from(asked);
    answer.writeUInt16BE(0x0101, 0);
    await send(server, shared, answer, answer);
    expect(heard).toBe(1);
  });

  it("keeps early DTLS in order, up to a limit", async () => {
    const shared = await mux();
    const port = shared.open("aaaa", "secret");
    const viewer = await client();
    await send(viewer, shared, request("aaaa", "secret"));
    const early = Array.from({ length: MAX_EARLY_DTLS + 3 }, (_, i) => Buffer.from([22, i]));
    await send(viewer, shared, ...early);
    const heard: number[] = [];
    port.takeDtls(datagram => heard.push(datagram[1]!));
    await send(viewer, shared, Buffer.from([22, 99]));
    expect(heard).toEqual([...Array.from({ length: MAX_EARLY_DTLS }, (_, i) => i), 99]);
  });

  it("forgets a closed port and its addresses", async () => {
    const shared = await mux();
    const port = shared.open("aaaa", "secret");
    const viewer = await client();
    await send(viewer, shared, request("aaaa", "secret"));
    port.close();
    await send(viewer, shared, Buffer.alloc(30, 128), request("aaaa", "secret"));
    expect(shared.stats.unknown).toBe(2);
    expect(shared.size).toBe(0);
  });

  it("bounds addresses and pending transactions", async () => {
    const shared = await mux();
    const port = shared.open("aaaa", "secret");
    for (let i = 0; i < MAX_ADDRESSES + 5; i++) port.learn("127.0.0.1", 1000 + i);
    expect(port.addresses.size).toBe(MAX_ADDRESSES);
    const viewer = await client();
    let heard = 0;
    port.onStun = () => heard++;
    const first = stun(1, []);
    port.send(first, "127.0.0.1", viewer.address().port);
    for (let i = 0; i < MAX_PENDING_TRANSACTIONS; i++) port.send(stun(1, []), "127.0.0.1", 9);
    first.writeUInt16BE(0x0101, 0);
    await send(viewer, shared, first);
    expect(heard).toBe(0);
  });

  it("says which port is in use, or takes another", async () => {
    const taken = (await mux()).address.port;
    const refused = await UdpMux.listen({ host: "127.0.0.1", port: taken }).catch((error: unknown) => error);
    expect(isCidcastError(refused, "ADDRESS_IN_USE")).toBe(true);
    const other = await UdpMux.listen({ host: "127.0.0.1", port: taken, portFallback: true });
    open.push(other);
    expect(other.address.port).not.toBe(taken);
  });

  it("is not confused by any datagram", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 80 }), bytes => {
        const datagram = Buffer.from(bytes);
        expect(() => stunKind(datagram) === "request" && stunLocalUfrag(datagram)).not.toThrow();
      }),
    );
  });
});
