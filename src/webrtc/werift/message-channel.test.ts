import { RTCDataChannel, RTCDataChannelParameters, type RTCSctpTransport } from "werift";
import { expect, test } from "vitest";
import type { ChannelEvent } from "../peer.ts";
import { MAX_CHANNEL_BACKLOG_BYTES, MessageChannel } from "./message-channel.ts";

/** A channel of the package whose transport sends nothing. */
function channel(label: string): RTCDataChannel {
  const transport = {
    datachannelSend: () => undefined,
    dataChannelClose: () => undefined,
  } as unknown as RTCSctpTransport;
  const made = new RTCDataChannel(transport, new RTCDataChannelParameters({ label, id: 1 }), false);
  made.setReadyState("open");
  return made;
}

test("one channel of that label is served at a time, each with a number of its own", () => {
  const events: ChannelEvent[] = [];
  const channels = new MessageChannel(event => events.push(event));
  expect(channels.adopt(channel("chat"))).toBe(false);
  const first = channel("mcp");
  expect([channels.adopt(first), channels.adopt(channel("mcp"))]).toEqual([true, false]);
  first.onMessage.execute("hello");
  first.setReadyState("closed");
  expect(channels.adopt(channel("mcp"))).toBe(true);
  expect(events).toEqual([
    { type: "open", channel: 1 },
    { type: "message", channel: 1, text: "hello" },
    { type: "closed", channel: 1 },
    { type: "open", channel: 2 },
  ]);
});

test("bytes, and answers that nobody reads, close it", () => {
  for (const spoil of [
    (made: RTCDataChannel) => made.onMessage.execute(Buffer.from("bytes")),
    (made: RTCDataChannel) => made.addBufferedAmount(MAX_CHANNEL_BACKLOG_BYTES + 1),
  ]) {
    const events: ChannelEvent[] = [];
    const channels = new MessageChannel(event => events.push(event));
    const made = channel("mcp");
    channels.adopt(made);
    spoil(made);
    channels.send(1, "answer");
    expect(events.at(-1)).toEqual({ type: "closed", channel: 1 });
  }
});
