import { createReadStream } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { buildWeb } from "../../scripts/build-web.mjs";
import type { ConfigInput } from "../../src/config/index.ts";
import { type CidcastNode, createNode } from "../../src/node.ts";

const SAMPLES = fileURLToPath(new URL("../../samples", import.meta.url));

/** A node in this process, on a data directory of its own, with the shipped clips. */
export interface RealNode extends AsyncDisposable {
  readonly node: CidcastNode;
  readonly url: string;
  /** H.264 without B-frames and Opus: passes through. */
  readonly passthroughCid: string;
  /** H.264 with B-frames and AAC: transcoded. */
  readonly transcodedCid: string;
  /** Sessions of viewers now. */
  sessions(): number;
}

export async function startRealNode(config: ConfigInput = {}): Promise<RealNode> {
  await buildWeb();
  const dataDir = await mkdtemp(join(tmpdir(), "cidcast-browser-"));
  const node = await createNode({
    ...config,
    dataDir,
    port: 0,
    sample: false,
    logLevel: "error",
    p2p: { enabled: false, ...config.p2p },
    webrtc: { udpPort: 0, ...config.webrtc },
  });
  const add = async (name: string): Promise<string> =>
    (await node.content.add(createReadStream(join(SAMPLES, name)), { name })).cid;
  return {
    node,
    url: node.url ?? "",
    passthroughCid: await add("sample-720p.mp4"),
    transcodedCid: await add("sample-real-world.mp4"),
    sessions: () => node.webrtc?.sessions().length ?? 0,
    async [Symbol.asyncDispose]() {
      await node.stop();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}
