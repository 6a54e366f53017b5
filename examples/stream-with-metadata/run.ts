// Streams content over WebRTC and hears of it over WebSockets at the same time.
import assert from "node:assert/strict";
import { createReadStream } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { CidcastClient } from "@cidcast/client";
import { RTCPeerConnection, useH264, useOPUS } from "werift";
import { createNode } from "../../src/index.ts";

const directory = await mkdtemp(join(tmpdir(), "cidcast-stream-"));
{
  const settings = { port: 0, sample: false, logLevel: "warn", webrtc: { udpPort: 0 } } as const;
  await using node = await createNode({ dataDir: directory, ...settings });
  const sample = fileURLToPath(new URL("../../samples/sample-720p.mp4", import.meta.url));
  const { cid } = await node.content.add(createReadStream(sample), { name: "sample.mp4" });

  using client = new CidcastClient({ url: node.url ?? "" });
  const packet = Promise.withResolvers<void>();
  const update = Promise.withResolvers<string>();
  using watched = await client.streamWithMetadata(cid, {
    createPeerConnection: configuration =>
      new RTCPeerConnection({ ...configuration, codecs: { video: [useH264()], audio: [useOPUS()] } }),
    onPacket: () => packet.resolve(),
    onUpdate: ({ type }) => update.resolve(type),
  });
  assert.equal(watched.metadata.contentType, "video/mp4");
  await packet.promise;
  await node.content.pin(cid, { name: "kept" });
  await update.promise;
  console.log(`${watched.metadata.size} bytes of ${watched.metadata.contentType} are being streamed`);
  watched.close();
  assert.equal(await watched.closed, undefined);
}
await rm(directory, { recursive: true, force: true });
