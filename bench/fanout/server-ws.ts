// What one writes first: ws, and a loop over its clients for every event.
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { WebSocketServer } from "ws";
import { control } from "./control.ts";

const server = new WebSocketServer({ port: 0, host: "127.0.0.1", perMessageDeflate: false });
await once(server, "listening");
let offset = 0;
// The address of a TCP server is an object.
control(`ws://127.0.0.1:${(server.address() as AddressInfo).port}`, pad => {
  const t = performance.timeOrigin + performance.now();
  offset += 1;
  const text = JSON.stringify({
    type: "notification",
    notification_type: "custom_event",
    data: { t, pad },
    timestamp: Date.now() / 1000,
    offset,
  });
  for (const client of server.clients) client.send(text);
});
