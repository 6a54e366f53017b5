// A node in a network namespace of its own: settings as the first argument, orders and answers as lines of JSON.
import { randomBytes } from "node:crypto";
import { createInterface } from "node:readline";
import { Readable } from "node:stream";
import { z } from "zod";
import { silentLogger } from "../../../src/core/index.ts";
import { createNode } from "../../../src/node.ts";

const order = z.discriminatedUnion("do", [
  z.object({ do: z.literal("add"), bytes: z.number() }),
  z.object({ do: z.literal("transfer"), cid: z.string(), from: z.string() }),
  z.object({ do: z.literal("state") }),
]);

const node = await createNode(JSON.parse(process.argv[2] ?? "{}"), { log: silentLogger });
const { peer } = node;
if (peer === undefined) throw new Error("libp2p did not start");

/** Values of the metrics of peers, all labels in their names. */
async function metrics(): Promise<Record<string, number>> {
  const text = await (await fetch(new URL("/metrics", node.url))).text();
  return Object.fromEntries(
    [...text.matchAll(/^cidcast_(?:p2p|transfer)_(\S+) (\S+)$/gm)].map(([, name, value]) => [
      name,
      Number(value),
    ]),
  );
}

async function obey(line: string): Promise<unknown> {
  const asked = order.parse(JSON.parse(line));
  if (asked.do === "add") {
    const { cid } = await node.content.add(Readable.from([randomBytes(asked.bytes)]), { name: "random" });
    return { cid };
  }
  if (asked.do === "transfer") {
    const result = await node.transfers.transferContent(asked.cid, asked.from);
    return { ok: result.ok, ...result.transfer };
  }
  return {
    ...peer?.reachability(),
    addresses: peer?.multiaddrs,
    connections: peer?.connections(),
    metrics: await metrics(),
  };
}

const say = (answer: unknown): void => void process.stdout.write(`${JSON.stringify(answer)}\n`);
say({ peerId: peer.id, addresses: peer.multiaddrs });
for await (const line of createInterface({ input: process.stdin })) {
  try {
    say({ answer: await obey(line) });
  } catch (error) {
    say({ error: String(error) });
  }
}
await node.stop();
