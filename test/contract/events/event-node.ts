// A node of nothing but events, with its log on disk: started, killed and started again by the test beside it.
// Arguments: directory, port, events to emit in all.
import { noMetrics, silentLogger, systemClock } from "../../../src/core/index.ts";
import { createNotify } from "../../../src/notify/index.ts";
import { serveSockets } from "../../sockets/socket-server.ts";

const [directory = "", port = "0", total = "0"] = process.argv.slice(2);
const notify = createNotify({ log: "disk", directory })({
  clock: systemClock,
  log: silentLogger,
  metrics: noMetrics,
});
const server = await serveSockets({ "/ws/notifications": notify.notifications }, { port: Number(port) });
process.stdout.write(`${new URL(server.url).port}\n`);
while (notify.events.nextOffset <= Number(total)) {
  for (let n = 0; n < 50 && notify.events.nextOffset <= Number(total); n += 1) {
    notify.emitEvent("custom_event", { n: notify.events.nextOffset });
  }
  await new Promise(resolve => setImmediate(resolve));
}
