// Peers: `node examples/peers/run.ts`. Two peers and a relay on this machine: identity, discovery, a protocol of one's own,
// blocks, and a connection through a relay. Nothing outside of this machine is contacted.
import assert from "node:assert/strict";
import { createPeer, type Peer, type PeerInit, type PeerStream } from "../../src/index.ts";
import { peerParts } from "./parts.ts";

async function start(init: PeerInit): Promise<Peer> {
  const peer = createPeer(init)(peerParts());
  await peer.start();
  return peer;
}

/** Everything that the other side sends until it ends. */
function read(stream: PeerStream): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  let text = "";
  stream.consume({
    onData: chunk => {
      text += Buffer.from(chunk).toString();
    },
    onEnd: () => resolve(text),
    onClose: error => error !== undefined && reject(error),
  });
  return promise;
}

// `id`: made from the key in the database, or a new one where there is none.
const master = await start({ role: "master", network: { dht: "lan" } });
console.log(`master ${master.id}`);
assert.match(master.id, /^12D3Koo/);

// `registerProtocolHandler`: answers streams of a protocol.
await master.registerProtocolHandler("/example/greeting/1.0.0", async stream => {
  const name = await read(stream);
  stream.send(Buffer.from(`hello ${name}`));
  await stream.close();
});

// `startDiscovery`: bootstrap peers are dialled and kept, others are found through them.
const bootstrapPeers = master.multiaddrs;
const worker = await start({ role: "worker", bootstrapPeers, network: { dht: "lan" } });
await worker.startDiscovery();

// `connectToPeer`: a PeerId or a multiaddr; the connection there is, or a new one.
const connection = await worker.connectToPeer(master.multiaddrs[0] ?? "");
assert.equal(connection.peerId, master.id);

// `newStream`: dials where needed, and speaks the protocol.
const stream = await worker.newStream(master.id, "/example/greeting/1.0.0");
const answer = read(stream);
stream.send(Buffer.from("worker"));
await stream.close();
assert.equal(await answer, "hello worker");
console.log(await answer);

// A peer that listens nowhere is reached through a relay.
const relay = await start({
  network: { relayService: { maxReservations: 4, maxBytes: 0, maxDurationMs: 60_000 } },
});
const hidden = await start({ listen: [], network: { relays: [relay.multiaddrs[0] ?? ""] } });
while (hidden.reachability().state !== "relayed") await new Promise(resolve => setTimeout(resolve, 20));
const relayed = await worker.connectToPeer(hidden.multiaddrs[0] ?? "");
assert.equal(relayed.relayed, true);
console.log(`${hidden.id} is reached through ${relay.id}`);

for (const peer of [hidden, worker, relay, master]) await peer.stop();
