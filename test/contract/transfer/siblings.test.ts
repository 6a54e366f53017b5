import { expect, test, vi } from "vitest";
import { serveNode } from "../node/serve-node.ts";

const P2P = { enabled: true, listen: ["/ip4/127.0.0.1/tcp/0"] };

vi.setConfig({ testTimeout: 60_000 });

const bytes = async function* (text: string): AsyncGenerator<Uint8Array> {
  yield Buffer.from(text);
};

async function* episodes(...names: readonly string[]) {
  for (const name of names) yield { path: `season/${name}`, content: bytes(`what happens in ${name}`) };
}

test("who served a part is known to be good for the rest, by a transfer and by what was added here", async () => {
  await using from = await serveNode({ p2p: P2P });
  await using to = await serveNode({ p2p: P2P });
  const [server, address] = [from.node.peer?.id ?? "", from.node.peer?.multiaddrs[0] ?? ""];
  const hasServed = (cid: string): boolean | undefined => to.node.peer?.reputation.hasServed(server, cid);
  const { cid: season } = await from.node.content.addDirectory(episodes("one", "two"));
  const { cid: two } = await from.node.content.resolve(`${season}/season/two`);
  expect(hasServed(two)).toBe(false);
  await to.node.transfers.transferContent(season, address);
  await expect.poll(() => hasServed(two)).toBe(true);
  // One film of a collection that is made here: the others are known to belong to it.
  const { cid: film } = await from.node.content.add(bytes("what happens in four"));
  await to.node.transfers.transferContent(film, address);
  const { cid: collection } = await to.node.content.addDirectory(episodes("four", "five"));
  const { cid: five } = await to.node.content.resolve(`${collection}/season/five`);
  await expect.poll(() => hasServed(five)).toBe(true);
  const { cid: other } = await to.node.content.add(bytes("something else"));
  expect(hasServed(other)).toBe(false);
});
