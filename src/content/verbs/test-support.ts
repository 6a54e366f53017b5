import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CID } from "multiformats/cid";
import {
  CidcastError,
  type Clock,
  EventBus,
  noMetrics,
  silentLogger,
  systemClock,
} from "../../core/index.ts";
import { type Database, openDatabase } from "../../store/index.ts";
import { type ContentInit, type ContentService, createContent } from "../content.ts";
import { contentMigrations } from "../records/migrations.ts";
import type { BlockNetwork, ContentEvents, DirectoryEntrySource } from "../types.ts";

/** A content service with everything around it. */
export interface Node {
  readonly content: ContentService;
  readonly database: Database;
  readonly heard: { readonly type: keyof ContentEvents; readonly data: unknown }[];
  close(): Promise<void>;
}

export interface StartOptions {
  readonly network?: BlockNetwork;
  readonly clock?: Clock;
}

/** Nodes of one test, in a directory of their own. */
export class TestBed implements AsyncDisposable {
  readonly directory = mkdtempSync(join(tmpdir(), "cidcast-content-"));
  readonly #nodes: Node[] = [];

  /** A node on the test's directory, or on another. */
  async start(
    init: Partial<ContentInit> = {},
    { network, clock = systemClock }: StartOptions = {},
  ): Promise<Node> {
    const directory = init.directory ?? this.directory;
    const file = join(directory, "node.db");
    const database = await openDatabase({ file, migrations: contentMigrations });
    const events = new EventBus<ContentEvents>(silentLogger);
    const heard: Node["heard"] = [];
    events.onAny(({ type, data }) => heard.push({ type, data }));
    const content = createContent({ ...init, directory })({
      database,
      events,
      clock,
      log: silentLogger,
      metrics: noMetrics,
      ...(network === undefined ? {} : { network }),
    });
    await content.start();
    const close = async (): Promise<void> => {
      await content.stop();
      await database.close();
    };
    const node = { content, database, heard, close };
    this.#nodes.push(node);
    return node;
  }

  /** A node on a directory of its own. */
  startOther(): Promise<Node> {
    return this.start({ directory: mkdtempSync(join(this.directory, "other-")) });
  }

  /** Flips a bit of a block on the disk of the test's own directory. */
  damage(cid: CID): void {
    const blocks = join(this.directory, "blocks");
    for (const name of readdirSync(blocks).filter(name => name.endsWith(".car"))) {
      const file = join(blocks, name);
      const bytes = readFileSync(file);
      // The first place is that of the block; others are links to it.
      const at = bytes.indexOf(cid.bytes);
      if (at < 0) continue;
      const first = at + cid.bytes.byteLength;
      bytes[first] = (bytes[first] ?? 0) ^ 0x10;
      writeFileSync(file, bytes);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const node of this.#nodes) await node.close();
    rmSync(this.directory, { recursive: true, force: true });
  }
}

/** A stream of some bytes, cut into pieces. */
export async function* pieces(bytes: Uint8Array, size = 10_000): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.byteLength; at += size) yield bytes.subarray(at, at + size);
}

/** Files of a directory, by path. */
export async function* entriesOf(
  files: Readonly<Record<string, string>>,
): AsyncGenerator<DirectoryEntrySource> {
  for (const [path, text] of Object.entries(files)) yield { path, content: pieces(Buffer.from(text)) };
}

export async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const item of items) list.push(item);
  return list;
}

/** The bytes of a file. */
export async function bytesOf(node: Node, ref: string): Promise<Buffer> {
  return Buffer.concat(await all(node.content.cat(ref)));
}

/** A network that is another node's blocks; a test can hold up or falsify what it answers. */
export function networkOf(
  node: Node,
  answer?: (cid: CID, bytes: Uint8Array) => Uint8Array | Promise<Uint8Array>,
): { readonly network: BlockNetwork; readonly asked: string[] } {
  const asked: string[] = [];
  const network: BlockNetwork = {
    hasPeers: true,
    async fetchBlock(cid) {
      asked.push(cid);
      const bytes = await node.content.blocks.get(CID.parse(cid));
      if (bytes === undefined) throw new CidcastError("CONTENT_NOT_FOUND", `nobody has ${cid}`);
      return answer === undefined ? bytes : answer(CID.parse(cid), bytes);
    },
  };
  return { network, asked };
}
