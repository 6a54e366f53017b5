import { MAX_MESSAGE_BYTES } from "@cidcast/protocols/mcp";
import { expect, test } from "vitest";
import { ownerPrincipal } from "../../core/index.ts";
import type { ViewerChannel } from "../types.ts";
import { SessionChannels } from "./session-channels.ts";

function channels(accept = true) {
  const sent: [number, string][] = [];
  const closed: number[] = [];
  const received: string[] = [];
  let carrier: ViewerChannel | undefined;
  let ended = 0;
  const under = new SessionChannels({
    door: {
      connect(channel) {
        carrier = channel;
        return accept ? { receive: text => void received.push(text), close: () => void ended++ } : undefined;
      },
    },
    sessionId: "pc_1",
    principal: ownerPrincipal,
    send: (channel, text) => void sent.push([channel, text]),
    close: channel => void closed.push(channel),
  });
  under.handle({ type: "open", channel: 1 });
  const say = (text: string, channel = 1): void => under.handle({ type: "message", channel, text });
  return { under, sent, closed, received, say, carrier: () => carrier, ended: () => ended };
}

test("messages come whole, by line or as one text", () => {
  const { say, received } = channels();
  say('{"a":1}');
  say('{"b":');
  say('2}\n\n{"c":3}\n{"d"');
  say(":4}\n");
  expect(received).toEqual(['{"a":1}', '{"b":2}', '{"c":3}', '{"d":4}']);
});

test("long messages leave in texts that any peer takes, with characters whole", () => {
  const { carrier, sent } = channels();
  const text = "🎬é".repeat(4_000);
  carrier()?.send(text);
  expect(sent.map(([, piece]) => piece).join("")).toBe(`${text}\n`);
  for (const [channel, piece] of sent) {
    expect(channel).toBe(1);
    expect(Buffer.byteLength(piece)).toBeLessThanOrEqual(16 * 1024);
    expect(piece.isWellFormed()).toBe(true);
  }
});

test("a message without end closes the channel, and one that nobody serves is closed at once", () => {
  const { say, closed, ended } = channels();
  for (let n = 0; n <= MAX_MESSAGE_BYTES / 1_000_000 + 1; n++) say("x".repeat(1_000_000));
  expect([closed, ended()]).toEqual([[1], 1]);
  expect(channels(false).closed).toEqual([1]);
});

test("a channel that is gone is told once, and what comes late for it is passed over", () => {
  const { under, say, received, ended } = channels();
  under.handle({ type: "closed", channel: 1 });
  under.end();
  say("{}");
  expect([ended(), received]).toEqual([1, []]);
});
