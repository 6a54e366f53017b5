import { expect, test } from "vitest";
import { serveNode } from "./serve-node.ts";

const FAMILY = "/ipfs-kit/";
const P2P = { enabled: true, listen: ["/ip4/127.0.0.1/tcp/0"] };

test.each([
  ["master", ["content", "file", "mcp", "metadata", "transfer"]],
  ["worker", ["content", "file", "mcp", "metadata", "transfer"]],
  ["gateway", ["content", "mcp", "metadata"]],
  ["leecher", []],
] as const)("a %s answers %j of this family, and bitswap", async (role, expected) => {
  await using served = await serveNode({ p2p: { ...P2P, role } });
  const protocols = served.node.peer?.protocols ?? [];
  const own = protocols.filter(name => name.startsWith(FAMILY)).map(name => name.split("/")[2] ?? "");
  expect(new Set(own.filter(name => name !== "events"))).toEqual(new Set(expected));
  expect(protocols).toContain("/ipfs/bitswap/1.2.0");
});
