// Two programs find each other in a room and exchange an offer and an answer, each to the other alone:
// `node examples/signalling/run.ts [http://127.0.0.1:8000]`.
import assert from "node:assert/strict";
import { CidcastClient } from "@cidcast/client";
import { withNode } from "../notifications/with-node.ts";

await withNode(process.argv[2], async url => {
  using client = new CidcastClient({ url });
  const room = `example-${process.pid}`;
  using ann = await client.joinSignalling({ room, peerId: "ann" });
  using ben = await client.joinSignalling({ room, peerId: "ben" });

  const heard = Promise.withResolvers<unknown>();
  ben.on("offer", ({ from, offer }) => {
    console.log(`ben has an offer of ${from}`);
    ben.answer(from, { type: "answer", sdp: "yes", to: offer });
  });
  ann.on("answer", ({ answer }) => heard.resolve(answer));
  const offer = { type: "offer", sdp: "shall we" };
  ann.offer("ben", offer);

  assert.deepEqual(await heard.promise, { type: "answer", sdp: "yes", to: offer });
  console.log("ann has the answer");

  // The other kind of room: everybody hears everybody, and who comes late still gets the offer that waits.
  using host = await client.joinRoom({ room });
  host.send({ type: "offer", sdp: "shall we all" });
  const waiting = Promise.withResolvers<unknown>();
  using _guest = await client.joinRoom({ room, onMessage: waiting.resolve });
  assert.deepEqual(await waiting.promise, { type: "offer", sdp: "shall we all" });
  console.log("a late guest has the offer of the room");
});
