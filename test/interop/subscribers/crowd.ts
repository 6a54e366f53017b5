// Many subscribers in one process, as cheaply as can be: raw sockets that read every frame and keep its offset. Obeys lines.
import { connect, type Socket } from "node:net";
import { createInterface } from "node:readline";

const [address = "", count = "1"] = process.argv.slice(2);
const { hostname, port } = new URL(address);
/** Connections that are being opened at once. */
const OPENING = 200;

const TEXT = 1;
const PING = 9;
/** An empty, masked pong. */
const PONG = Buffer.from([0x8a, 0x80, 0, 0, 0, 0]);

interface Frame {
  readonly type: string;
  readonly epoch?: string;
  readonly offset?: number;
  readonly data?: { readonly n?: number };
}

/** One subscriber: what it has seen is kept over its connections. */
class Subscriber {
  epoch = "";
  offset = 0;
  readonly seen: number[] = [];
  resyncs = 0;
  #socket: Socket | undefined;

  /** Resolves when the subscription is confirmed, from `resume` on or from now. */
  open(): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const socket = connect(Number(port), hostname);
    this.#socket = socket;
    let rest: Buffer = Buffer.alloc(0);
    let upgraded = false;
    socket.on("error", reject);
    socket.on("close", () => reject(new Error("closed before it was subscribed")));
    socket.write(
      `GET /ws/notifications HTTP/1.1\r\nHost: ${hostname}:${port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n`,
    );
    socket.on("data", (chunk: Buffer) => {
      let data = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
      if (!upgraded) {
        const end = data.indexOf("\r\n\r\n");
        if (end < 0) return void (rest = data);
        if (!data.toString("latin1", 0, 12).endsWith("101")) {
          return reject(new Error(data.toString("latin1", 0, end)));
        }
        upgraded = true;
        data = data.subarray(end + 4);
        const resume = this.epoch === "" ? {} : { resume: { epoch: this.epoch, offset: this.offset } };
        socket.write(
          masked(JSON.stringify({ action: "subscribe", notification_types: ["custom_event"], ...resume })),
        );
      }
      rest = this.#frames(data, resolve);
    });
    return promise;
  }

  drop(): void {
    this.#socket?.removeAllListeners("close");
    this.#socket?.destroy();
  }

  /** Reads whole frames; gives back what is left. */
  #frames(data: Buffer, confirmed: () => void): Buffer {
    let at = 0;
    while (data.length - at >= 2) {
      const short = (data[at + 1] ?? 0) & 0x7f;
      const head = short === 126 ? 4 : short === 127 ? 10 : 2;
      if (data.length - at < head) break;
      const length =
        short === 126
          ? data.readUInt16BE(at + 2)
          : short === 127
            ? Number(data.readBigUInt64BE(at + 2))
            : short;
      if (data.length - at < head + length) break;
      const opcode = (data[at] ?? 0) & 0xf;
      if (opcode === PING) this.#socket?.write(PONG);
      else if (opcode === TEXT) {
        this.#read(JSON.parse(data.toString("utf8", at + head, at + head + length)) as Frame, confirmed);
      }
      at += head + length;
    }
    return Buffer.from(data.subarray(at));
  }

  #read(frame: Frame, confirmed: () => void): void {
    if (frame.type === "subscription_confirmed") {
      if (this.epoch === "") Object.assign(this, { epoch: frame.epoch ?? "", offset: frame.offset ?? 0 });
      confirmed();
    } else if (frame.type === "resync_required") this.resyncs += 1;
    else if (frame.type === "notification") {
      this.offset = frame.offset ?? 0;
      this.seen.push(frame.data?.n ?? -1);
      arrived();
    }
  }
}

/** A masked text frame with a mask of zeros: the payload as it is. RFC 6455, 5.3. */
function masked(text: string): Buffer {
  const payload = Buffer.from(text);
  const head = Buffer.alloc(payload.length < 126 ? 6 : 8);
  head[0] = 0x81;
  if (payload.length < 126) head[1] = 0x80 | payload.length;
  else {
    head[1] = 0x80 | 126;
    head.writeUInt16BE(payload.length, 2);
  }
  return Buffer.concat([head, payload]);
}

const crowd = Array.from({ length: Number(count) }, () => new Subscriber());
let wanted = 0;
let total = 0;
let onTotal: (() => void) | undefined;

function arrived(): void {
  total += 1;
  if (total >= wanted) onTotal?.();
}

/** Opens them all, so many at once; with `storm` really all at once. */
async function openAll(storm: boolean): Promise<void> {
  const step = storm ? crowd.length : OPENING;
  for (let n = 0; n < crowd.length; n += step) {
    await Promise.all(crowd.slice(n, n + step).map(subscriber => openPatiently(subscriber)));
  }
}

/** A refused or broken attempt is made again, as clients do. */
async function openPatiently(subscriber: Subscriber): Promise<void> {
  for (let attempt = 0; ; attempt += 1) {
    try {
      return await subscriber.open();
    } catch (error) {
      if (attempt === 20) throw error;
      await new Promise(resolve => setTimeout(resolve, 50 * (attempt + 1) * (0.5 + Math.random())));
    }
  }
}

/** Whether each has seen exactly 0 to `upTo` - 1, in order. */
function check(upTo: number): object {
  const wrong = crowd.filter(
    ({ seen }) => seen.length !== upTo || seen.some((n, index) => n !== index),
  ).length;
  return { wrong, resyncs: crowd.reduce((sum, { resyncs }) => sum + resyncs, 0) };
}

const commands: Readonly<Record<string, (argument: number) => Promise<object> | object>> = {
  open: async () => (await openAll(false), { open: crowd.length }),
  storm: async () => (await openAll(true), { open: crowd.length }),
  drop: () => {
    for (const subscriber of crowd) subscriber.drop();
    return {};
  },
  /** Waits until everybody has had that many. */
  wait: async each => {
    wanted = each * crowd.length;
    if (total < wanted) await new Promise<void>(resolve => (onTotal = resolve));
    return { total };
  },
  check,
};

createInterface({ input: process.stdin }).on("line", line => {
  const [name = "", argument = "0"] = line.split(" ");
  void Promise.resolve(commands[name]?.(Number(argument)) ?? { error: name }).then(
    answer => console.log(JSON.stringify(answer)),
    (error: unknown) => console.log(JSON.stringify({ error: String(error) })),
  );
});
console.log("{}");
