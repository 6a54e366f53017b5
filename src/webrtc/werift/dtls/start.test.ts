import { CipherContext, HashAlgorithm, NamedCurveAlgorithm, SignatureAlgorithm } from "werift";
import { beforeAll, describe, expect, it } from "vitest";
import { type Clock, VirtualClock } from "../../../core/index.ts";
import { MuxPort } from "../../net/index.ts";
import type { DtlsInternals, DtlsTransportInternals } from "../internals.ts";
import { MAX_FLIGHT_DATAGRAMS, MAX_RESENDS, MIN_RESEND_MS } from "./flights.ts";
import { MAX_HELD_RECORDS } from "./gate.ts";
import { replaceDtlsStart } from "./start.ts";

interface Identity {
  readonly certPem: string;
  readonly privateKey: string;
  readonly signatureHash: unknown;
}

const GCM = 7;
let honest: Identity;
let attacker: Identity;
/** Shows the honest certificate, and holds another key. */
let impostor: Identity;

beforeAll(async () => {
  const make = async (): Promise<Identity> => {
    const algorithm = { signature: SignatureAlgorithm.ecdsa_3, hash: HashAlgorithm.sha256_4 };
    const made = await CipherContext.createSelfSignedCertificateWithKey(
      algorithm,
      NamedCurveAlgorithm.secp256r1_23,
    );
    return { certPem: made.certPem, privateKey: made.keyPem, signatureHash: made.signatureHash };
  };
  [honest, attacker] = [await make(), await make()];
  impostor = { ...honest, privateKey: attacker.privateKey };
});

type Carry = (datagram: Buffer, deliver: (datagram: Buffer) => void) => void;

interface End {
  readonly transport: DtlsTransportInternals;
  readonly port: MuxPort;
  readonly dtls: () => DtlsInternals;
  readonly sent: Buffer[];
  to: ((datagram: Buffer) => void) | undefined;
  stop: () => void;
  connected: boolean;
}

function end(
  role: "client" | "server",
  {
    identity,
    carry,
    clock,
  }: { identity: Identity; carry: Carry; clock: Pick<Clock, "after" | "monotonicMs"> },
): End {
  const port = new MuxPort({
    ufrag: role,
    password: "",
    send: () => undefined,
    expect: () => undefined,
    learn: () => undefined,
    alias: () => undefined,
    forget: () => undefined,
  });
  const sent: Buffer[] = [];
  const transport = {
    state: "new",
    role,
    remoteParameters: { fingerprints: ["checked elsewhere"] },
    localCertificate: identity,
    srtpProfiles: [GCM],
    dtls: undefined,
    iceTransport: {
      role: "controlling",
      connection: {
        send: (datagram: Buffer) => {
          sent.push(Buffer.from(datagram));
          carry(Buffer.from(datagram), copy => made.to?.(copy));
          return Promise.resolve();
        },
      },
    },
    dataReceiver: () => undefined,
    setState(state: string) {
      this.state = state;
    },
    verifyRemoteCertificateFingerprint: () => undefined,
    start: () => Promise.resolve(),
  };
  const made: End = {
    // Only what start() touches; the rest of a transport plays no part here.
    transport: transport as unknown as DtlsTransportInternals,
    port,
    dtls: () => transport.dtls as unknown as DtlsInternals,
    sent,
    to: undefined,
    stop: () => undefined,
    connected: false,
  };
  made.stop = replaceDtlsStart({
    transport: made.transport,
    port,
    onConnected: () => {
      made.connected = true;
    },
    onApplicationData: () => undefined,
    onClosed: () => undefined,
    clock,
  });
  return made;
}

const directly: Carry = (datagram, deliver) => void setImmediate(() => deliver(datagram));

/** Time stands still unless a test moves it: nothing is sent again that was not lost. */
function pair(init: {
  client?: Identity;
  server?: Identity;
  up?: Carry;
  down?: Carry;
  clock?: VirtualClock;
}) {
  const clock = init.clock ?? new VirtualClock();
  const client = end("client", { identity: init.client ?? attacker, carry: init.up ?? directly, clock });
  const server = end("server", { identity: init.server ?? honest, carry: init.down ?? directly, clock });
  client.to = datagram => server.port.receive(datagram, "127.0.0.1", 1);
  server.to = datagram => client.port.receive(datagram, "127.0.0.1", 2);
  return { client, server };
}

/** Starts both ends, and waits for the one that should refuse. */
async function refusal(
  { client, server }: ReturnType<typeof pair>,
  victim: "client" | "server",
): Promise<unknown> {
  const started = { server: server.transport.start(), client: client.transport.start() };
  for (const promise of Object.values(started)) promise.catch(() => undefined);
  const error = await started[victim].then(
    () => undefined,
    (caught: unknown) => caught,
  );
  client.stop();
  server.stop();
  return error;
}

describe("a handshake", () => {
  it("gives both ends the same keys", async () => {
    const { client, server } = pair({});
    const results = await Promise.allSettled([server.transport.start(), client.transport.start()]);
    expect(results.map(result => result.status)).toEqual(["fulfilled", "fulfilled"]);
    const [a, b] = [client.dtls().extractSessionKeys(16, 12), server.dtls().extractSessionKeys(16, 12)];
    expect(a.localKey).toEqual(b.remoteKey);
    expect(a.remoteSalt).toEqual(b.localSalt);
  });

  it("never uses a record number twice with the same keys", async () => {
    const { client, server } = pair({});
    await Promise.all([server.transport.start(), client.transport.start()]);
    for (const { dtls, sent } of [client, server]) {
      const send = dtls() as unknown as { send(data: Buffer): Promise<void> };
      for (let i = 0; i < 16; i++) await send.send(Buffer.from("message"));
      const numbers = sent
        .filter(datagram => datagram.readUInt16BE(3) === 1)
        .map(datagram => datagram.readUIntBE(5, 6));
      expect(new Set(numbers).size).toBe(numbers.length);
    }
  });

  it("begins with a client's first flight at once", async () => {
    const { client } = pair({});
    const started = client.transport.start();
    started.catch(() => undefined);
    await Promise.resolve();
    expect(client.sent).toHaveLength(1);
    client.stop();
  });

  it("takes up records that came before it was started", async () => {
    const { client, server } = pair({});
    const up = client.transport.start();
    await new Promise(resolve => setImmediate(resolve));
    await Promise.all([up, server.transport.start()]);
    expect(client.sent.filter(datagram => datagram[0] === 22 && datagram[13] === 1)).toHaveLength(2);
  });

  it("comes to an end when datagrams overtake each other and come twice", async () => {
    const shuffled = (): Carry => {
      let held: (() => void)[] = [];
      return (datagram, deliver) => {
        held.push(
          () => deliver(datagram),
          () => deliver(Buffer.from(datagram)),
        );
        setTimeout(() => {
          const batch = held.toReversed();
          held = [];
          for (const send of batch) send();
        }, 2);
      };
    };
    const { client, server } = pair({ up: shuffled(), down: shuffled() });
    await Promise.all([server.transport.start(), client.transport.start()]);
    expect([client.connected, server.connected]).toEqual([true, true]);
  });

  // Datagrams each way, in order. Up: two hellos, then certificate, keys, proof, cipher, Finished. Down: HelloVerifyRequest,
  // five of the server's flight, cipher, Finished.
  it.each([
    ["the first hello", { up: [0] }],
    ["the answer to it", { down: [0] }],
    ["the second hello", { up: [1] }],
    ["one of the server's flight", { down: [2] }],
    ["the server's whole flight", { down: [1, 2, 3, 4, 5] }],
    ["the client's certificate", { up: [2] }],
    ["the client's Finished", { up: [6] }],
    ["the client's whole flight", { up: [2, 3, 4, 5, 6] }],
    ["the server's Finished", { down: [7] }],
    ["the server's last flight", { down: [6, 7] }],
  ] as [string, { up?: number[]; down?: number[] }][])(
    "goes on after the first, short wait when %s is lost",
    async (_what, { up = [], down = [] }) => {
      let missing = up.length + down.length;
      const losing = (lost: readonly number[]): Carry => {
        let count = 0;
        return (datagram, deliver) => {
          if (!lost.includes(count++)) return directly(datagram, deliver);
          missing--;
        };
      };
      const clock = new VirtualClock();
      const { client, server } = pair({ up: losing(up), down: losing(down), clock });
      const started = Promise.all([server.transport.start(), client.transport.start()]);
      await expect.poll(() => missing).toBe(0);
      clock.advance(60);
      await started;
      for (const { sent } of [client, server]) {
        // A HelloVerifyRequest is without state, and so has one number.
        const counted = sent.filter(datagram => datagram.readUInt16BE(3) === 1 || datagram[13] !== 3);
        const numbers = counted.map(datagram => datagram.toString("hex", 3, 11));
        expect(new Set(numbers).size).toBe(numbers.length);
      }
    },
  );

  it("is begun again with growing pauses, so many times and no more", async () => {
    const clock = new VirtualClock();
    const { client } = pair({ up: () => undefined, clock });
    client.transport.start().catch(() => undefined);
    const at: number[] = [];
    for (let ms = 0; ms < 60_000; ms += 10) {
      while (at.length < client.sent.length) at.push(ms);
      clock.advance(10);
    }
    expect(at.slice(0, 7)).toEqual([0, 60, 180, 420, 900, 1860, 2860]);
    expect(at).toHaveLength(1 + MAX_RESENDS);
    client.stop();
  });

  it("is answered again as often as the peer asks, and no more often than every few milliseconds", async () => {
    const clock = new VirtualClock();
    const { client, server } = pair({ clock });
    await Promise.all([server.transport.start(), client.transport.start()]);
    const finished = client.sent.at(-1)!;
    const before = server.sent.length;
    clock.advance(MIN_RESEND_MS - 1);
    server.port.receive(finished, "127.0.0.1", 1);
    expect(server.sent.length).toBe(before);
    clock.advance(1);
    server.port.receive(finished, "127.0.0.1", 1);
    await expect.poll(() => server.sent.length).toBe(before + 2);
    expect(client.sent.length).toBeLessThan(MAX_FLIGHT_DATAGRAMS);
  });

  it("cuts a ClientHello over two datagrams like any other", async () => {
    const cut: Carry = (datagram, deliver) => {
      if (datagram[0] !== 22 || datagram[13] !== 1) return directly(datagram, deliver);
      for (const part of fragmented(datagram)) directly(part, deliver);
    };
    const { client, server } = pair({ up: cut });
    await Promise.all([server.transport.start(), client.transport.start()]);
    expect(server.connected).toBe(true);
  });
});

describe("an attacker", () => {
  it("who shows a viewer's certificate without its key is refused by the server", async () => {
    const both = pair({ client: impostor });
    expect(String(await refusal(both, "server"))).toMatch(/CertificateVerify is not signed by the key/);
    expect(both.server.connected).toBe(false);
    expect(both.server.transport.state).toBe("failed");
  });

  it("who shows a server's certificate without its key is refused by the client", async () => {
    const both = pair({ server: impostor });
    expect(String(await refusal(both, "client"))).toMatch(/ServerKeyExchange is not signed by the key/);
    expect(both.client.connected).toBe(false);
    expect(both.client.transport.state).toBe("failed");
  });

  it.each(["client", "server"] as const)(
    "who changed the handshake is refused: a %s's Finished",
    async liar => {
      const both = pair({});
      const started = [both.server.transport.start(), both.client.transport.start()];
      for (const promise of started) promise.catch(() => undefined);
      const cipher = both[liar].dtls().cipher as unknown as { verifyData: () => Buffer };
      cipher.verifyData = () => Buffer.alloc(12, 1);
      const victim = liar === "client" ? 0 : 1;
      await expect(started[victim]).rejects.toThrow(/Finished does not match/);
      both.client.stop();
      both.server.stop();
    },
  );

  it("cannot start a second handshake over a connection, nor fill memory before it", async () => {
    const { client, server } = pair({});
    await Promise.all([server.transport.start(), client.transport.start()]);
    const before = server.dtls().cipher.masterSecret;
    server.port.receive(client.sent[0]!, "127.0.0.1", 1);
    server.port.receive(client.sent[1]!, "127.0.0.1", 1);
    expect(server.dtls().cipher.masterSecret).toBe(before);
    expect(MAX_HELD_RECORDS).toBeLessThanOrEqual(32);
  });

  it("cannot end a connection with an alert in the clear", async () => {
    const { client, server } = pair({});
    await Promise.all([server.transport.start(), client.transport.start()]);
    server.port.receive(Buffer.from("15fefd000000000000009900020228", "hex"), "127.0.0.1", 1);
    expect(server.transport.state).toBe("connected");
  });
});

/** The handshake message of a record, in two fragments. */
function fragmented(datagram: Buffer): Buffer[] {
  const body = datagram.subarray(25);
  const half = Math.ceil(body.length / 2);
  return [
    [0, half],
    [half, body.length],
  ].map(([from, to]) => {
    const part = body.subarray(from, to);
    const out = Buffer.concat([datagram.subarray(0, 25), part]);
    out.writeUInt16BE(12 + part.length, 11);
    out.writeUIntBE(from!, 19, 3);
    out.writeUIntBE(part.length, 22, 3);
    return out;
  });
}
