// A node in a process of its own: data directory and egress are its arguments. It ends with its standard input.
import { createNode } from "../../src/node.ts";

const [dataDir = "data", egress = "auto"] = process.argv.slice(2);
const node = await createNode({
  dataDir,
  port: 0,
  sample: false,
  logLevel: "error",
  p2p: { enabled: false },
  webrtc: { udpPort: 0, egress: egress === "js" || egress === "batched" ? egress : "auto" },
});
console.log(JSON.stringify({ url: `${node.url}/whep` }));
process.stdin.resume();
process.stdin.once("end", () => {
  void node.stop().then(() => process.exit(0));
});
