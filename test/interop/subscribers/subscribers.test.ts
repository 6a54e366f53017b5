import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, test } from "vitest";
import { silentLogger } from "../../../src/core/index.ts";
import { type CidcastNode, createNode } from "../../../src/node.ts";
import { retainedBytes } from "../memory.ts";

const CROWD = fileURLToPath(new URL("crowd.ts", import.meta.url));
const SUBSCRIBERS = 10_000;
/** Growth that is no leak: code compiled meanwhile, and the log's ring. 1 KiB a subscriber would be beyond it. */
const SPARE_BYTES = 10 * 1024 * 1024;

let directory: string;
let node: CidcastNode;
let crowd: Crowd;

/** The process of all subscribers, asked in lines. */
class Crowd {
  readonly #child: ChildProcess;
  readonly #lines: AsyncIterator<string>;

  constructor(url: string, count: number) {
    const child = spawn(process.execPath, [CROWD, url, String(count)], {
      stdio: ["pipe", "pipe", "inherit"],
    });
    this.#child = child;
    this.#lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  }

  async ready(): Promise<void> {
    await this.#lines.next();
  }

  async ask(line: string): Promise<unknown> {
    this.#child.stdin?.write(`${line}\n`);
    return JSON.parse(String((await this.#lines.next()).value));
  }

  kill(): void {
    this.#child.kill("SIGKILL");
  }
}

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), "cidcast-crowd-"));
  node = await createNode(
    {
      dataDir: directory,
      port: 0,
      sample: false,
      sockets: { max: SUBSCRIBERS + 10, maxPerAddress: SUBSCRIBERS + 10 },
      webrtc: { enabled: false },
      p2p: { enabled: false },
      mcp: { enabled: false },
    },
    { log: silentLogger },
  );
  crowd = new Crowd(node.url ?? "", SUBSCRIBERS);
  await crowd.ready();
});
afterEach(async () => {
  crowd.kill();
  await node.stop();
  rmSync(directory, { recursive: true, force: true });
});

/** One that subscribes to everything and reads nothing. */
async function deafSubscriber(): Promise<Socket> {
  const { port } = new URL(node.url ?? "");
  const socket = connect(Number(port), "127.0.0.1");
  socket.pause();
  const text = '{"action":"subscribe","notification_types":["all_events"]}';
  socket.write(
    `GET /ws/notifications HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n`,
  );
  socket.write(Buffer.concat([Buffer.from([0x81, 0x80 | text.length, 0, 0, 0, 0]), Buffer.from(text)]));
  return socket;
}

test("10,000 subscribers, one of them deaf: all hear everything, lose all connections at once, come back together and have missed nothing", async () => {
  const before = retainedBytes();
  expect(await crowd.ask("open")).toEqual({ open: SUBSCRIBERS });
  const deaf = await deafSubscriber();
  let n = 0;
  const emit = (count: number): void => {
    for (let i = 0; i < count; i += 1) {
      node.notify?.emitEvent("custom_event", { n });
      n += 1;
    }
  };
  emit(20);
  await crowd.ask("wait 20");
  for (let round = 0; round < 2; round += 1) {
    await crowd.ask("drop");
    emit(20);
    expect(await crowd.ask("storm")).toEqual({ open: SUBSCRIBERS });
    emit(10);
    await crowd.ask(`wait ${n}`);
  }
  expect(await crowd.ask(`check ${n}`)).toEqual({ wrong: 0, resyncs: 0 });
  deaf.destroy();
  await crowd.ask("drop");
  while (node.notify?.notifications.connections !== 0) await sleep(50);
  expect(retainedBytes() - before).toBeLessThan(SPARE_BYTES);
});
