import { describe, expect, test } from "vitest";
import { CidcastClient } from "@cidcast/client";
import { type ServedNode, serveNode } from "../node/serve-node.ts";

/** A CID that nobody here has. */
const UNKNOWN_CID = "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku";
const TOKEN = "only-for-friends";

const clientOf = (served: ServedNode, token?: string): CidcastClient =>
  new CidcastClient({ url: served.url, ...(token === undefined ? {} : { token }) });
const textOf = async (stream: ReadableStream<Uint8Array>): Promise<string> => new Response(stream).text();

describe("a client of a node", () => {
  test("adds a file, finds it in the list by its name, and gets its bytes back", async () => {
    await using served = await serveNode();
    using client = clientOf(served);
    const { cid, size } = await client.add(new Blob(["hello"], { type: "text/plain" }), {
      name: "grüße.txt",
    });
    expect(size).toBe(5);
    await client.add(new Blob(["other"]), { name: "other.txt" });
    const { records, total } = await client.list({ search: "grüße" });
    expect(total).toBe(1);
    expect(records).toMatchObject([{ cid, name: "grüße.txt", size: 5 }]);
    expect(await client.list({ limit: 1, offset: 1 })).toMatchObject({ records: [{ cid }], total: 2 });
    expect(await textOf(await client.cat(cid))).toBe("hello");
    expect(await textOf(await client.cat(`/ipfs/${cid}`))).toBe("hello");
  });

  test("reads parts, without their end, and says when there is no such part", async () => {
    await using served = await serveNode();
    using client = clientOf(served);
    const { cid } = await client.add(new Blob(["0123456789"]), { name: "digits.txt" });
    expect(await textOf(await client.cat(cid, { start: 2, end: 5 }))).toBe("234");
    expect(await textOf(await client.cat(cid, { start: 7 }))).toBe("789");
    expect(await textOf(await client.cat(cid, { end: 1 }))).toBe("0");
    expect(await textOf(await client.cat(cid, { start: 8, end: 50 }))).toBe("89");
    await expect(client.cat(cid, { start: 10 })).rejects.toMatchObject({ code: "RANGE_NOT_SATISFIABLE" });
  });

  test("pins under a name, lists the pin, and takes it away", async () => {
    await using served = await serveNode();
    using client = clientOf(served);
    const { cid } = await client.add(new Blob(["kept"]), { name: "kept.txt" });
    const before = await client.pins();
    expect(await client.pin(cid, { name: "for later" })).toMatchObject({ cid, name: "for later" });
    expect(await client.pins()).toContainEqual(expect.objectContaining({ cid, name: "for later" }));
    await client.unpin(cid, { name: "for later" });
    expect(await client.pins()).toEqual(before);
    await expect(client.unpin(cid, { name: "for later" })).rejects.toMatchObject({ code: "PIN_NOT_FOUND" });
  });

  test("throws the node's errors by their code", async () => {
    await using served = await serveNode();
    using client = clientOf(served);
    await expect(client.cat("not-a-cid")).rejects.toMatchObject({ code: "INVALID_CID" });
    await expect(client.http.record(UNKNOWN_CID)).rejects.toMatchObject({ code: "CONTENT_NOT_FOUND" });
    await served.node.stop();
    await expect(client.list()).rejects.toMatchObject({ code: "NODE_UNREACHABLE" });
  });

  test("shows its token, and is refused without one", async () => {
    await using served = await serveNode({ token: TOKEN });
    using friend = clientOf(served, TOKEN);
    using stranger = clientOf(served);
    const { cid } = await friend.add(new Blob(["private"]), { name: "private.txt" });
    expect(await textOf(await friend.cat(cid))).toBe("private");
    for (const attempt of [stranger.cat(cid), stranger.list(), stranger.pins(), stranger.add(new Blob([]))]) {
      await expect(attempt).rejects.toMatchObject({ code: "UNAUTHENTICATED" });
    }
  });

  test("that is closed begins nothing more, and ends what was begun", async () => {
    await using served = await serveNode();
    const client = clientOf(served);
    const { cid } = await client.add(new Blob(["x"]), { name: "x" });
    const listing = client.list();
    client.close();
    await expect(listing).rejects.toMatchObject({ code: "ABORTED" });
    await expect(client.cat(cid)).rejects.toMatchObject({ code: "ABORTED" });
    await expect(client.pin(cid)).rejects.toMatchObject({ code: "ABORTED" });
  });
});
