import { createReadStream } from "node:fs";
import { Readable } from "node:stream";
import { fileURLToPath } from "node:url";
import {
  CidcastClient,
  ClientError,
  type ContentStream,
  type MediaPacket,
  type RtcConfiguration,
} from "@cidcast/client";
import { RTCPeerConnection, useH264, useOPUS } from "werift";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type ServedNode, serveNode } from "../node/serve-node.ts";

const SAMPLE = fileURLToPath(new URL("../../../samples/sample-720p.mp4", import.meta.url));
const createPeerConnection = (configuration: RtcConfiguration) =>
  new RTCPeerConnection({ ...configuration, codecs: { video: [useH264()], audio: [useOPUS()] } });

let served: ServedNode;
let client: CidcastClient;
let cid: string;

beforeAll(async () => {
  served = await serveNode({ webrtc: { enabled: true } });
  client = new CidcastClient({ url: served.url });
  ({ cid } = await served.node.content.add(createReadStream(SAMPLE), { name: "sample.mp4" }));
});
afterAll(async () => {
  client?.close();
  await served?.[Symbol.asyncDispose]();
});

/** Resolves when the node says so. */
const told = (stream: ContentStream, state: string): Promise<void> => {
  const { promise, resolve } = Promise.withResolvers<void>();
  stream.on("state", report => {
    if (report.state === state) resolve();
  });
  return promise;
};

test("a program without a browser gets the packets of every track, and controls what it plays", async () => {
  const packets: MediaPacket[] = [];
  const enough = Promise.withResolvers<void>();
  using stream = await client.streamContent(cid, {
    createPeerConnection,
    onPacket(packet) {
      packets.push(packet);
      if (packets.length === 200) enough.resolve();
    },
  });
  const tracks = Promise.withResolvers<readonly { readonly kind: string }[]>();
  stream.on("tracks", tracks.resolve);
  await enough.promise;
  expect(new Set(packets.map(({ kind }) => kind))).toEqual(new Set(["video", "audio"]));
  // RTP, version 2.
  expect(packets.every(({ rtp }) => (rtp[0] ?? 0) >> 6 === 2)).toBe(true);
  expect((await tracks.promise).map(({ kind }) => kind).toSorted()).toEqual(["audio", "video"]);
  expect(stream.report).toMatchObject({ state: "playing", durationSeconds: expect.any(Number) });
  const paused = told(stream, "paused");
  stream.pause();
  await paused;
  const playing = told(stream, "playing");
  stream.seek(10);
  stream.play();
  await playing;
  await expect.poll(() => stream.positionSeconds).toBeGreaterThan(8);
  expect(await stream.stats()).toMatchObject({ cid, state: "connected", frames_sent: expect.any(Number) });
  stream.close();
  await expect.poll(() => served.node.webrtc?.sessions().length).toBe(0);
});

test("only the sound, from a place in it, to its end and over again", async () => {
  const kinds = new Set<string>();
  using stream = await client.streamContent(cid, {
    createPeerConnection,
    kind: "audio",
    startSeconds: 19,
    onPacket: ({ kind }) => kinds.add(kind),
  });
  expect(stream.tracks).toHaveLength(1);
  await told(stream, "ended");
  expect(kinds).toEqual(new Set(["audio"]));
  const again = told(stream, "playing");
  stream.seek(0);
  stream.play();
  await again;
});

test("what cannot be streamed is told by its code, and nothing is left open", async () => {
  const text = await served.node.content.add(Readable.from([Buffer.from("words")]), { name: "words.txt" });
  await expect(client.streamContent(text.cid, { createPeerConnection })).rejects.toBeInstanceOf(ClientError);
  await expect(client.streamContent(cid)).rejects.toMatchObject({ code: "INVALID_REQUEST" });
  const controller = new AbortController();
  const stream = await client.streamContent(cid, { createPeerConnection, signal: controller.signal });
  const closed = Promise.withResolvers<ClientError>();
  stream.on("close", closed.resolve);
  controller.abort();
  expect((await closed.promise).code).toBe("ABORTED");
  await expect.poll(() => served.node.webrtc?.sessions().length).toBe(0);
});
