// A node in a process of its own, on the data directory named by the first argument. Says where it listens in one line of
// JSON and ends with its standard input.
import { createNode } from "../../src/node.ts";

const begun = performance.now();
const [dataDir = "data"] = process.argv.slice(2);
const node = await createNode({
  dataDir,
  port: 0,
  sample: false,
  logLevel: "error",
  p2p: { enabled: false },
  webrtc: { udpPort: 0 },
});
const startMs = performance.now() - begun;
console.log(JSON.stringify({ url: node.url, startMs }));
process.stdin.resume();
process.stdin.once("end", () => {
  void node.stop().then(() => process.exit(0));
});
