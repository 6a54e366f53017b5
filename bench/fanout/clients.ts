// Many WebSocket clients as cheaply as can be: raw sockets that count frames by their heads; a few read the time in them.
import { connect, type Socket } from "node:net";
import { createInterface } from "node:readline";

const [address = "", wanted = "1"] = process.argv.slice(2);
const { hostname, port } = new URL(address);
const TIMED = 50;
/** Connections that are being opened at once. */
const OPENING = 100;
/** The letter n: notifications are counted, replies are not. */
const N = 0x6e;
let frames = 0;
let target = Number.POSITIVE_INFINITY;
let latencies: number[] = [];

/** A masked text frame with a mask of zeros: the payload as it is. RFC 6455, 5.3. */
function masked(text: string): Buffer {
  const payload = Buffer.from(text);
  return Buffer.concat([Buffer.from([0x81, 0x80 | payload.length, 0, 0, 0, 0]), payload]);
}

function reached(): void {
  if (frames < target) return;
  target = Number.POSITIVE_INFINITY;
  latencies.sort((a, b) => a - b);
  const at = (share: number): number => latencies[Math.floor(latencies.length * share)] ?? 0;
  console.log(JSON.stringify({ received: frames, p50: at(0.5), p99: at(0.99) }));
}

function open(index: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(Number(port), hostname);
    const timed = index < TIMED;
    let upgraded = false;
    let rest: Buffer = Buffer.alloc(0);
    socket.on("error", reject);
    socket.on("connect", () =>
      socket.write(
        `GET / HTTP/1.1\r\nHost: ${hostname}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n`,
      ),
    );
    socket.on("data", (chunk: Buffer) => {
      const data = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
      let at = 0;
      if (!upgraded) {
        at = data.indexOf("\r\n\r\n") + 4;
        if (at < 4) {
          rest = data;
          return;
        }
        upgraded = true;
        socket.write(masked('{"action":"subscribe","notification_types":["all_events"]}'));
        resolve(socket);
      }
      const now = performance.timeOrigin + performance.now();
      while (data.length - at >= 2) {
        const short = (data[at + 1] ?? 0) & 0x7f;
        const head = short === 126 ? 4 : 2;
        if (data.length - at < head) break;
        const length = short === 126 ? data.readUInt16BE(at + 2) : short;
        if (data.length - at < head + length) break;
        // The first letter of the type: `{"type":"n` or, from Python, `{"type": "n`.
        if (data[at + head + 9] === N || data[at + head + 10] === N) {
          frames += 1;
          if (timed) {
            const { data: fields } = JSON.parse(data.toString("utf8", at + head, at + head + length)) as {
              data: { t: number };
            };
            latencies.push(now - fields.t);
          }
        }
        at += head + length;
      }
      rest = data.subarray(at);
      reached();
    });
  });
}

for (let n = 0; n < Number(wanted); n += OPENING) {
  await Promise.all(Array.from({ length: Math.min(OPENING, Number(wanted) - n) }, (_, i) => open(n + i)));
}
console.log(JSON.stringify({ open: Number(wanted) }));
createInterface({ input: process.stdin }).on("line", line => {
  frames = 0;
  latencies = [];
  target = Number(line);
  console.log(JSON.stringify({ waiting: target }));
});
