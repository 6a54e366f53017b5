import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Key } from "interface-datastore";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { DatabaseDatastore } from "../../src/p2p/identity/index.ts";
import { type PeerTables, peerMigrations } from "../../src/p2p/index.ts";
import { startPeer } from "../../src/p2p/test-support.ts";
import { type Database, openDatabase } from "../../src/store/index.ts";

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "cidcast-p2p-"));
});

afterEach(() => rm(folder, { recursive: true }));

function openStore(): Promise<Database> {
  return openDatabase({ file: join(folder, "node.db"), migrations: [...peerMigrations] });
}

describe("the peer in the node's database", () => {
  test("has the same PeerId after a restart", async () => {
    const ids: string[] = [];
    for (let run = 0; run < 2; run++) {
      await using store = await openStore();
      await using started = await startPeer({}, { database: store.tables<PeerTables>() });
      ids.push(started.peer.id);
    }
    expect(ids[0]).toMatch(/^12D3Koo/);
    expect(ids[1]).toBe(ids[0]);
    await using fresh = await startPeer();
    expect(fresh.peer.id).not.toBe(ids[0]);
  });

  test("knows the addresses of peers it was told of after a restart", async () => {
    await using other = await startPeer();
    for (const target of [other.address, other.peer.id]) {
      await using store = await openStore();
      await using started = await startPeer({}, { database: store.tables<PeerTables>() });
      expect((await started.peer.connectToPeer(target)).peerId).toBe(other.peer.id);
      // Identify writes the address book; a ping comes back after it.
      await started.peer.ping(other.peer.id);
    }
  });
});

describe("the datastore over the database", () => {
  test("puts, replaces, gets, lists by prefix and deletes records", async () => {
    await using store = await openStore();
    const datastore = new DatabaseDatastore(store.tables<PeerTables>());
    await datastore.put(new Key("/a/1"), new Uint8Array([1]));
    await datastore.put(new Key("/a/2"), new Uint8Array([2]));
    await datastore.put(new Key("/a/2"), new Uint8Array([22]));
    await datastore.put(new Key("/ab"), new Uint8Array([3]));
    expect(await datastore.has(new Key("/a/1"))).toBe(true);
    expect([...(await datastore.get(new Key("/a/2")))]).toEqual([22]);
    const listed: [string, number[]][] = [];
    for await (const { key, value } of datastore.query({ prefix: "/a/" })) {
      listed.push([key.toString(), [...value]]);
    }
    expect(listed).toEqual([
      ["/a/1", [1]],
      ["/a/2", [22]],
    ]);
    await datastore.delete(new Key("/a/1"));
    const keys: string[] = [];
    for await (const key of datastore.queryKeys({})) keys.push(key.toString());
    expect(keys).toEqual(["/a/2", "/ab"]);
  });

  test("tells of a missing record by the name libp2p looks for", async () => {
    await using store = await openStore();
    const datastore = new DatabaseDatastore(store.tables<PeerTables>());
    await expect(datastore.get(new Key("/none"))).rejects.toMatchObject({ name: "NotFoundError" });
    expect(await datastore.has(new Key("/none"))).toBe(false);
  });
});
