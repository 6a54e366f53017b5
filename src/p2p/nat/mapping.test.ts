import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { networkInterfaces } from "node:os";
import { isPrivateIp } from "@libp2p/utils";
import { afterEach, describe, expect, test } from "vitest";
import { startPeer, type TestPeer, until } from "../test-support.ts";
import type { PeerInit } from "../types.ts";

/** What the router says its outer address is: one that no network of this machine has. */
const OUTER = "45.67.89.10";
const OUTER_PORT = 45_678;

let stack = new AsyncDisposableStack();

afterEach(async () => {
  const used = stack;
  stack = new AsyncDisposableStack();
  await used.disposeAsync();
});

async function peer(init: PeerInit = {}): Promise<TestPeer> {
  return stack.use(await startPeer(init));
}

/** A router as UPnP describes it, that keeps note of what it is asked. */
async function router(): Promise<{ readonly description: string; readonly asked: string[] }> {
  const asked: string[] = [];
  const service = "urn:schemas-upnp-org:service:WANIPConnection:2";
  const answers: Readonly<Record<string, string>> = {
    GetExternalIPAddress: `<NewExternalIPAddress>${OUTER}</NewExternalIPAddress>`,
    AddAnyPortMapping: `<NewReservedPort>${OUTER_PORT}</NewReservedPort>`,
    DeletePortMapping: "",
  };
  const server: Server = createServer((request, response) => {
    let body = "";
    request.on("data", (chunk: Buffer) => (body += chunk.toString()));
    request.on("end", () => {
      response.setHeader("content-type", "text/xml");
      const action = /#(\w+)/.exec(String(request.headers["soapaction"]))?.[1];
      if (action === undefined) {
        response.end(`<?xml version="1.0"?><root xmlns="urn:schemas-upnp-org:device-1-0"><device>
          <deviceType>urn:schemas-upnp-org:device:InternetGatewayDevice:2</deviceType><UDN>uuid:1</UDN>
          <serviceList><service><serviceType>${service}</serviceType><controlURL>/control</controlURL>
          <SCPDURL>/scpd</SCPDURL></service></serviceList></device></root>`);
        return;
      }
      const fields = [...body.matchAll(/<New(InternalPort|InternalClient)>([^<]*)</g)].map(
        ([, , text]) => text,
      );
      asked.push([action, ...fields].join(" "));
      response.end(`<?xml version="1.0"?><s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body>
        <u:${action}Response xmlns:u="${service}">${answers[action] ?? ""}</u:${action}Response></s:Body></s:Envelope>`);
    });
  });
  await new Promise<void>(resolve => server.listen(0, "127.0.0.1", resolve));
  stack.defer(() => {
    server.closeAllConnections();
    server.close();
  });
  // Listening on a port of loopback.
  const { port } = server.address() as AddressInfo;
  return { description: `http://127.0.0.1:${port}/rootDesc.xml`, asked };
}

/** An address of this machine in a private network, where it has one. */
function privateAddress(): string | undefined {
  return Object.values(networkInterfaces())
    .flatMap(list => list ?? [])
    .find(({ family, internal, address }) => family === "IPv4" && !internal && isPrivateIp(address))?.address;
}

describe("a port asked of the router", { timeout: 60_000 }, () => {
  test("is an address that others can dial, told to them, and given back at the end", async context => {
    const own = privateAddress();
    if (own === undefined) {
      context.skip("this machine has no address in a private network");
      return;
    }
    const { description, asked } = await router();
    const { peer: mapped } = await peer({
      listen: [`/ip4/${own}/tcp/0`],
      network: { upnp: true, upnpGateways: [description] },
    });
    const port = /\/tcp\/(\d+)/.exec(mapped.multiaddrs[0] ?? "")?.[1];
    await until(() => mapped.multiaddrs.some(address => address.includes(OUTER)));
    expect(asked).toContain(`AddAnyPortMapping ${port} ${own}`);
    expect(mapped.multiaddrs).toContain(`/ip4/${OUTER}/tcp/${OUTER_PORT}/p2p/${mapped.id}`);
    expect(mapped.reachability().state).toBe("public");
    await mapped.stop();
    expect(asked.at(-1)).toMatch(/^DeletePortMapping/);
  });

  test("does not keep a peer from starting where no router answers", async () => {
    const { peer: alone } = await peer({
      network: { upnp: true, upnpGateways: ["http://127.0.0.1:9/none"] },
    });
    expect(alone.status).toBe("started");
    expect(alone.reachability().state).toBe("local");
  });
});

describe("everything that joins the public network", { timeout: 60_000 }, () => {
  test("starts together, answers others' questions, and stops", async () => {
    const network = {
      dht: "wan",
      mdns: true,
      holePunch: true,
      autoNat: true,
      upnp: true,
      upnpGateways: ["http://127.0.0.1:9/none"],
      pubsub: true,
      relayService: { maxReservations: 4, maxBytes: 0, maxDurationMs: 60_000 },
    } as const;
    const one = await peer({ network });
    const other = await peer({ network, connect: [one.address] });
    await until(() => other.peer.connections().length > 0);
    expect(one.peer.protocols).toEqual(
      expect.arrayContaining([
        "/libp2p/autonat/1.0.0",
        "/libp2p/dcutr",
        "/ipfs/kad/1.0.0",
        "/libp2p/circuit/relay/0.2.0/hop",
      ]),
    );
    // Nobody who is on the same machine can tell whether others could dial it.
    expect(["local", "unknown"]).toContain(one.peer.reachability().state);
  });

  test("has no AutoNAT that dials whom it is told to: an address of loopback is refused", async () => {
    const asked = await peer({ network: { autoNat: true } });
    const asker = await peer({ network: { autoNat: true } });
    await asker.peer.connectToPeer(asked.address);
    const stream = await asker.peer.newStream(asked.peer.id, "/libp2p/autonat/1.0.0");
    const { promise, resolve } = Promise.withResolvers<Uint8Array>();
    stream.consume({ onData: resolve });
    // Message { type: DIAL, dial: { peer: { id, addrs: ["/ip4/127.0.0.1/tcp/9"] } } }, after its length.
    const { peerIdFromString } = await import("@libp2p/peer-id");
    const id = peerIdFromString(asker.peer.id).toMultihash().bytes;
    const info = [0x0a, id.byteLength, ...id, 0x12, 8, 4, 127, 0, 0, 1, 6, 0, 9];
    const dial = [0x0a, info.length, ...info];
    const message = [0x08, 0, 0x12, dial.length, ...dial];
    stream.send(Uint8Array.from([message.length, ...message]));
    const reply = [...(await promise)];
    // DIAL_RESPONSE (1) whose status is E_DIAL_REFUSED (101).
    expect(reply.slice(1, 3)).toEqual([0x08, 1]);
    expect(reply).toContain(101);
  });
});
