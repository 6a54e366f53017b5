// A node inside an application: it adds a file, makes an offer for it through signalling of its own, and sees what happens.
// `node examples/embed/run.ts [FILE]`; without a file the shipped clip.
import assert from "node:assert/strict";
import { createReadStream } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { createNode, ownerPrincipal } from "../../src/index.ts";

const file = process.argv[2] ?? fileURLToPath(new URL("../../samples/sample-720p.mp4", import.meta.url));
const dataDir = await mkdtemp(join(tmpdir(), "cidcast-embed-"));
{
  // Ports of 0 let the system choose: several nodes can live beside each other.
  await using node = await createNode({
    dataDir,
    port: 0,
    sample: false,
    logLevel: "warn",
    webrtc: { udpPort: 0 },
  });
  node.events.on("webrtc_offer", ({ data }) => console.log(`offer ${data.pc_id} for ${data.cid}`));

  const { cid } = await node.content.add(createReadStream(file), { name: basename(file) });
  const media = await node.media.probe(cid);
  for (const track of media.tracks)
    console.log(`${track.id}: ${track.verdict.mode}, ${track.verdict.reason}`);
  assert.ok(media.playable);

  // Your own signalling: send `sdp` to a viewer in whatever way you have, and hand its answer to `session.answer()`.
  assert.ok(node.webrtc);
  const { session, sdp } = await node.webrtc.createOffer({
    cid,
    owner: "example",
    principal: ownerPrincipal,
  });
  assert.match(sdp, /^m=video/m);
  assert.equal(node.webrtc.session(session.id, "somebody else"), undefined);
  await session.close();
  assert.equal(node.webrtc.sessions().length, 0);

  console.log(`or let the node do it all: ${node.url}/play/${cid}`);
}
await rm(dataDir, { recursive: true, force: true });
