import { expect, test } from "vitest";
import type { PeerStream, StreamConsumer } from "../streams/index.ts";
import { readFirstObject } from "./first-object.ts";

/** A stream whose bytes the test hands over itself. */
function source(maxBytes = 1000) {
  let consumer: StreamConsumer | undefined;
  const stream: PeerStream = {
    protocol: "/test/1",
    peerId: "somebody",
    send: () => true,
    drained: async () => undefined,
    consume: given => {
      consumer = given;
    },
    close: async () => undefined,
    abort: () => undefined,
  };
  const first = readFirstObject(stream, { maxBytes });
  return {
    first,
    say: (text: string) => consumer?.onData(Buffer.from(text)),
    end: () => consumer?.onEnd?.(),
    cut: () => consumer?.onClose?.(new Error("cut")),
  };
}

test("what comes after the object goes to who follows, in order, before and after", async () => {
  const { first, say, end } = source();
  say('{"a":\n{"b":1}');
  say('}\n{"second":1}\n{"thi');
  const heard: string[] = [];
  const { value, follow } = await first;
  expect(value).toEqual({ a: { b: 1 } });
  say('rd":1}');
  follow({ onData: chunk => void heard.push(Buffer.from(chunk).toString()), onEnd: () => heard.push("end") });
  say("more");
  end();
  expect(heard).toEqual(['{"second":1}\n{"thi', 'rd":1}', "more", "end"]);
});

test("more than may wait for who follows closes what follows", async () => {
  const { first, say } = source(20);
  say('{"a":1}\n');
  const { follow } = await first;
  say("x".repeat(21));
  const closed = Promise.withResolvers<Error | undefined>();
  follow({ onData: () => closed.reject(new Error("data")), onClose: closed.resolve });
  expect(await closed.promise).toMatchObject({ code: "PAYLOAD_TOO_LARGE" });
});

test("an object is found however it is cut, and braces alone are tried a few times only", async () => {
  const text = '{"action":"x","deep":{"a":{}}}';
  const { first, say } = source();
  for (const letter of text) say(letter);
  expect((await first).value).toEqual(JSON.parse(text));
  const braces = source(100_000);
  for (let n = 0; n < 1000; n++) braces.say("{}}");
  braces.say("\n");
  braces.end();
  await expect(braces.first).rejects.toMatchObject({ code: "INVALID_REQUEST" });
});

test("an end before the object, too much of it, and a cut are told apart", async () => {
  const early = source();
  early.say('{"a"');
  early.end();
  await expect(early.first).rejects.toMatchObject({ code: "INVALID_REQUEST" });
  const long = source(10);
  long.say('{"a":"0123456789');
  await expect(long.first).rejects.toMatchObject({ code: "PAYLOAD_TOO_LARGE" });
  const gone = source();
  gone.cut();
  await expect(gone.first).rejects.toThrow("cut");
});
