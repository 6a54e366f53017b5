import { once } from "node:events";
import type { Socket } from "node:net";
import { describe, expect, test } from "vitest";
import { WebSocket } from "ws";
import { closing, next, serveRouter, until } from "./testing/serve-router.ts";
import type { SocketContext } from "./types.ts";

describe("compression", () => {
  const large = JSON.stringify(
    Array.from({ length: 2000 }, (_, i) => ({ type: "content_added", offset: i })),
  );

  test("of what is large, and only of that, in the order in which it was sent", async () => {
    await using f = await serveRouter();
    const got: string[] = [];
    let context: SocketContext | undefined;
    f.router.handle({
      path: "/large",
      action: "events:subscribe",
      connect(given) {
        context = given;
        return { onText: () => undefined, onClose: () => undefined };
      },
    });
    const socket = await f.open("/large");
    expect(socket.extensions).toBe("permessage-deflate");
    let received = 0;
    const carrier: Socket = Reflect.get(socket, "_socket");
    carrier.on("data", chunk => (received += chunk.length));
    socket.on("message", data => got.push((data as Buffer).toString()));
    context?.send(large);
    context?.send("small");
    context?.sendFrames(Buffer.from([0x81, 1, 0x62]));
    context?.send(large);
    await until(() => got.length === 4);
    expect(got).toEqual([large, "small", "b", large]);
    expect(received).toBeLessThan(large.length / 2);
    // What does not get smaller goes as it is.
    const noise = Array.from({ length: 2000 }, (_, i) =>
      String.fromCodePoint(0x4e00 + ((i * 7919) % 20_000)),
    ).join("");
    context?.send(noise);
    await until(() => got.length === 5);
    expect(got.at(-1)).toBe(noise);
    socket.terminate();
  });

  test.each([
    "",
    "permessage-deflate",
    "permessage-deflate; client_max_window_bits=9",
    "permessage-deflate; client_max_window_bits; server_max_window_bits=10",
    "x-webkit-deflate-frame",
  ])("is done without where a client offers “%s”", async offer => {
    await using f = await serveRouter();
    const url = `ws://127.0.0.1:${f.port}/webrtc`;
    const socket = new WebSocket(url, {
      perMessageDeflate: false,
      headers: { "sec-websocket-extensions": offer },
    });
    await once(socket, "open");
    expect(socket.extensions).toBe("");
    socket.send(large);
    expect(await next(socket)).toBe(large);
    socket.terminate();
  });

  test("does not let a small frame become a large message", async () => {
    await using f = await serveRouter();
    const bomb = new WebSocket(`ws://127.0.0.1:${f.port}/webrtc`, { perMessageDeflate: { threshold: 0 } });
    await once(bomb, "open");
    const other = await f.open();
    bomb.send("x".repeat(16 * 1024 * 1024));
    expect((await closing(bomb)).code).toBe(1009);
    other.send("well");
    expect(await next(other)).toBe("well");
    other.terminate();
  });
});
