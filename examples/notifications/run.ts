// What happens in a node, as it happens: `node examples/notifications/run.ts [http://127.0.0.1:8000]`.
// With an address it prints until it is interrupted; without, it brings a node's events along and checks itself.
import assert from "node:assert/strict";
import { CidcastClient } from "@cidcast/client";
import { withNode } from "./with-node.ts";

await withNode(process.argv[2], async (url, notify) => {
  using client = new CidcastClient({ url });
  const subscription = client.subscribeToNotifications({
    types: ["content_added", "content_removed", "transfer_progress"],
    filter: 'not content_type ^= "text/"',
  });
  await subscription.ready;
  const seen: string[] = [];
  notify?.emitEvent("content_added", { cid: "bafy-notes", size: 10, content_type: "text/plain" });
  notify?.emitEvent("content_added", { cid: "bafy-film", size: 10_000, content_type: "video/mp4" });
  notify?.emitEvent("content_removed", { cid: "bafy-film" });
  for await (const item of subscription) {
    if (item.type === "resync_required") {
      console.log(`Events may have been missed: ${item.reason}`);
      continue;
    }
    if (item.type !== "notification") continue;
    const line = `${item.notification_type} ${String(item.data["cid"])}`;
    console.log(line);
    seen.push(line);
    if (notify !== undefined && seen.length === 2) break;
  }
  assert.deepEqual(seen, ["content_added bafy-film", "content_removed bafy-film"]);
});
