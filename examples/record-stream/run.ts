// Streams content from a node into a file: `node examples/record-stream/run.ts [http://127.0.0.1:8000 CID FILE.webm]`.
// Without arguments it brings a node along, records three seconds of the shipped clip, and checks the file.
import assert from "node:assert/strict";
import { createReadStream } from "node:fs";
import { mkdtemp, open, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { CidcastClient } from "@cidcast/client";
import { MediaStreamTrack, RTCPeerConnection, useH264, useOPUS } from "werift";
import { MediaRecorder } from "werift/nonstandard";
import { createNode } from "../../src/index.ts";

/** What the example records, milliseconds. */
const RECORD_MS = 3_000;

async function record(url: string, cid: string, path: string): Promise<void> {
  using client = new CidcastClient({ url });
  using stream = await client.streamContent(cid, {
    // Any library with the interface of the browser's RTCPeerConnection will do.
    createPeerConnection: configuration =>
      new RTCPeerConnection({ ...configuration, codecs: { video: [useH264()], audio: [useOPUS()] } }),
  });
  const tracks = stream.tracks.filter(track => track instanceof MediaStreamTrack);
  const recorder = new MediaRecorder({ path, tracks, width: 1280, height: 720 });
  await setTimeout(RECORD_MS);
  await recorder.stop();
  console.log(`${Math.round(stream.positionSeconds)} s of ${cid} are in ${path}`);
  console.log(await stream.stats());
}

const [url, cid, file] = process.argv.slice(2);
if (url !== undefined && cid !== undefined && file !== undefined) {
  await record(url, cid, file);
} else {
  const directory = await mkdtemp(join(tmpdir(), "cidcast-record-"));
  {
    const settings = { port: 0, sample: false, logLevel: "warn", webrtc: { udpPort: 0 } } as const;
    await using node = await createNode({ dataDir: directory, ...settings });
    const sample = fileURLToPath(new URL("../../samples/sample-720p.mp4", import.meta.url));
    const added = await node.content.add(createReadStream(sample), { name: "sample.mp4" });
    const path = join(directory, "recording.webm");
    await record(node.url ?? "", added.cid, path);
    await using recording = await open(path);
    const head = Buffer.alloc(4);
    await recording.read(head);
    assert.equal(head.toString("hex"), "1a45dfa3", "a Matroska file");
    assert.ok((await recording.stat()).size > 100_000, "with pictures and sound in it");
  }
  await rm(directory, { recursive: true, force: true });
}
