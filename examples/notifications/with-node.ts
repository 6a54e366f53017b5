import { noMetrics, silentLogger, systemClock } from "../../src/core/index.ts";
import { createNotify, type Notify } from "../../src/notify/index.ts";
import { createRoomsService } from "../../src/rooms/index.ts";
import { serveSockets } from "../../test/sockets/socket-server.ts";

/** Runs `story` against the node at `url`; without one, against a node's events and rooms brought along. */
export async function withNode(
  url: string | undefined,
  story: (url: string, notify: Notify | undefined) => Promise<void>,
): Promise<void> {
  if (url !== undefined) return story(url, undefined);
  const components = { clock: systemClock, log: silentLogger, metrics: noMetrics };
  const notify = createNotify()(components);
  const rooms = createRoomsService()(components);
  const routes = [...notify.sockets.routes(), ...rooms.routes];
  await using server = await serveSockets(
    Object.fromEntries(routes.map(({ path, handler }) => [path, handler])),
  );
  await story(server.url.replace("ws:", "http:"), notify);
  await notify.stop();
  await rooms.stop();
  return undefined;
}
