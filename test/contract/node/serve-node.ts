import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ConfigInput } from "../../../src/config/index.ts";
import { type Logger, silentLogger } from "../../../src/core/index.ts";
import { type CidcastNode, createNode } from "../../../src/node.ts";

/** A whole node on free ports and an empty data directory; both are gone after `await using`. */
export interface ServedNode extends AsyncDisposable {
  readonly node: CidcastNode;
  readonly url: string;
  readonly port: number;
  /** The same address for WebSockets. */
  readonly wsUrl: string;
  readonly dataDir: string;
}

/** Starts a node as `cidcast start` does, without the sample. WebRTC and libp2p only where a test asks for them. */
export async function serveNode(config: ConfigInput = {}, log: Logger = silentLogger): Promise<ServedNode> {
  const folder = await mkdtemp(join(tmpdir(), "cidcast-node-"));
  const dataDir = config.dataDir ?? folder;
  const node = await createNode(
    {
      port: 0,
      sample: false,
      ...config,
      dataDir,
      webrtc: { enabled: false, udpPort: 0, workers: 0, ...config.webrtc },
      p2p: { enabled: false, ...config.p2p },
    },
    { log },
  );
  const url = node.url ?? "";
  return {
    node,
    url,
    port: Number(new URL(url).port),
    wsUrl: url.replace("http:", "ws:"),
    dataDir,
    async [Symbol.asyncDispose]() {
      await node.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
