import { joinBroadcastRoom } from "@cidcast/client";

/** Two clients of a room: the second comes after the offer was made, and gets it. Prints what happens. */
export async function twoClients(url: string, print: (line: string) => void): Promise<void> {
  const room = "example";
  const first = await joinBroadcastRoom({ url }, { room });
  print("[Client1] Connected");
  // Written by hand, not by JSON.stringify: the node passes on every byte as it is.
  const socket = new WebSocket(`${url.replace(/^http/, "ws")}/ws/signal/?room=${room}`);
  await new Promise(resolve => socket.addEventListener("open", resolve));
  socket.send('{"type": "offer", "sdp": "fake-sdp-from-Client1"}');
  await new Promise(resolve => first.on("message", resolve));
  print("[Client1] Sent offer");

  const received = Promise.withResolvers<string>();
  const second = await joinBroadcastRoom({ url }, { room, onMessage: (_, text) => received.resolve(text) });
  print("[Client2] Connected");
  print(`[Client2] Received: ${await received.promise}`);
  second.leave();
  first.leave();
  socket.close();
}
