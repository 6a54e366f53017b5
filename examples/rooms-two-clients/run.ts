// Two clients meet in a room: `node examples/rooms-two-clients/run.ts [http://127.0.0.1:8000]`.
// Without an address it brings a node's rooms along.
import assert from "node:assert/strict";
import { withNode } from "../notifications/with-node.ts";
import { twoClients } from "./clients.ts";

const lines: string[] = [];
await withNode(process.argv[2], url =>
  twoClients(url, line => {
    lines.push(line);
    console.log(line);
  }),
);
assert.deepEqual(lines, [
  "[Client1] Connected",
  "[Client1] Sent offer",
  "[Client2] Connected",
  '[Client2] Received: {"type": "offer", "sdp": "fake-sdp-from-Client1"}',
]);
