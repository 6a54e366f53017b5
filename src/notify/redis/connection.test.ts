import { createServer } from "node:net";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { expect, test } from "vitest";
import { silentLogger, VirtualClock } from "../../core/index.ts";
import { FIRST_ATTEMPT_MS, firstAttempt, redisConnection } from "./connection.ts";

test("a start waits a short while for a Redis that takes connections and says nothing", async () => {
  const silent = createServer().listen(0, "127.0.0.1");
  await once(silent, "listening");
  // The address of a TCP server is an object.
  const { port } = silent.address() as AddressInfo;
  const connected = once(silent, "connection");
  const clock = new VirtualClock();
  const redis = redisConnection(`redis://127.0.0.1:${port}`, silentLogger);
  let over = false;
  const attempt = firstAttempt([redis], clock).then(() => {
    over = true;
  });
  await connected;
  expect(over).toBe(false);
  clock.advance(FIRST_ATTEMPT_MS);
  await attempt;
  expect(over).toBe(true);
  redis.disconnect();
  silent.close();
});

test("a start goes on at once where nobody listens", async () => {
  const taken = createServer().listen(0, "127.0.0.1");
  await once(taken, "listening");
  const { port } = taken.address() as AddressInfo;
  taken.close();
  await once(taken, "close");
  const redis = redisConnection(`redis://127.0.0.1:${port}`, silentLogger);
  await firstAttempt([redis], new VirtualClock());
  expect(redis.status).not.toBe("ready");
  redis.disconnect();
});

test("a connection that is lost while a command waits leaves no timer for the next one", async () => {
  const server = createServer(socket => {
    // The first command is the client's own question whether the server is ready.
    socket.once("data", () => socket.destroy());
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  // The address of a TCP server is an object.
  const { port } = server.address() as AddressInfo;
  const redis = redisConnection(`redis://127.0.0.1:${port}`, silentLogger);
  const closed = once(redis, "close");
  await firstAttempt([redis], new VirtualClock());
  await closed;
  expect(redis["socketTimeoutTimer"]).toBeUndefined();
  redis.disconnect();
  server.close();
});
