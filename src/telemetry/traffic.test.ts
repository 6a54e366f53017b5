import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { afterEach, beforeEach, expect, test } from "vitest";
import { VirtualClock } from "../core/index.ts";
import { createTrafficMeter } from "./traffic.ts";

let server: Server;
beforeEach(async () => {
  server = createServer(socket => socket.end(Buffer.alloc(60_000)));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
});
afterEach(() => server.close());

/** 60,000 bytes from the server to a client, both in this process. */
async function move(): Promise<Socket> {
  const { port } = server.address() as AddressInfo;
  const socket = connect(port, "127.0.0.1");
  socket.resume();
  socket.write(Buffer.alloc(1000));
  await once(socket, "end");
  return socket;
}

test("bytes of TCP are counted both ways over the last seconds, open connections and closed ones", async () => {
  const clock = new VirtualClock();
  using meter = createTrafficMeter({ clock });
  expect(meter.rates()).toEqual({ in: 0, out: 0 });
  const first = await move();
  clock.advance(1000);
  // The far end of each connection is in this process as well, and may not have read the last of it.
  const { out } = meter.rates();
  expect(out).toBe(61_000);
  if (!first.destroyed) await once(first, "close");
  clock.advance(1000);
  expect(meter.rates().out).toBe(30_500);
  await expect.poll(() => meter.rates().in).toBe(30_500);
  clock.advance(6000);
  expect(meter.rates()).toEqual({ in: 0, out: 0 });
});

test("what leaves by other ways comes on top, and a meter that fails leaves its last figure", async () => {
  const clock = new VirtualClock();
  const others = [{ in: 10, out: 4000 }];
  using meter = createTrafficMeter({
    clock,
    others: async () => {
      const next = others.shift();
      if (next === undefined) throw new Error("the media thread is gone");
      return next;
    },
  });
  clock.advance(1000);
  await expect.poll(() => meter.rates()).toEqual({ in: 10, out: 4000 });
  clock.advance(1000);
  expect(meter.rates()).toEqual({ in: 5, out: 2000 });
});

test("nothing is watched any more once it is closed", async () => {
  const clock = new VirtualClock();
  const meter = createTrafficMeter({ clock });
  meter[Symbol.dispose]();
  const socket = await move();
  if (!socket.destroyed) await once(socket, "close");
  clock.advance(1000);
  expect(meter.rates()).toEqual({ in: 0, out: 0 });
});
