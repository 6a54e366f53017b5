import { createSocket, type Socket } from "node:dgram";
import type { Page } from "playwright-core";

/** Bytes that IP and UDP add to a datagram. */
const HEADER_BYTES = 28;
/** First byte of media packets, and of no others. */
const MEDIA = 128;
/** How often what is due is let through, ms. */
const TICK_MS = 2;

interface Waiting {
  readonly datagram: Buffer;
  readonly to: { readonly port: number; readonly address: string };
  readonly dueMs: number;
}

/** A narrow path to a UDP port of this machine: what the target sends back goes through a bottleneck with a queue. */
export class UdpShaper {
  readonly #front: Socket;
  readonly #targetPort: number;
  /** One socket towards the target for each port that packets come from. */
  readonly #behind = new Map<number, Socket>();
  readonly #queue: Waiting[] = [];
  readonly #timer: NodeJS.Timeout;
  #freeMs = 0;
  /** Bits per second towards the viewer. */
  rateBps = Number.POSITIVE_INFINITY;
  /** Longest that a datagram may wait, ms; one that would wait longer is dropped. */
  queueMs = 600;
  /** One in so many media packets towards the viewer is lost; 0: none. */
  loseOneIn = 0;
  dropped = 0;
  forwarded = 0;
  #media = 0;

  /** Listens on a free port of the loopback interface. */
  static async listen(targetPort: number): Promise<UdpShaper> {
    const front = createSocket("udp4");
    const { promise, resolve } = Promise.withResolvers<void>();
    front.bind(0, "127.0.0.1", resolve);
    await promise;
    return new UdpShaper(front, targetPort);
  }

  private constructor(front: Socket, targetPort: number) {
    this.#front = front;
    this.#targetPort = targetPort;
    front.on("message", (datagram, from) => {
      this.#towards(from).send(datagram, this.#targetPort, "127.0.0.1");
    });
    this.#timer = setInterval(() => this.#release(), TICK_MS);
  }

  get port(): number {
    return this.#front.address().port;
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    for (const socket of this.#behind.values()) socket.close();
    this.#front.close();
  }

  #towards(from: { readonly port: number; readonly address: string }): Socket {
    const known = this.#behind.get(from.port);
    if (known !== undefined) return known;
    const socket = createSocket("udp4");
    socket.on("message", datagram => this.#queueUp(datagram, from));
    this.#behind.set(from.port, socket);
    return socket;
  }

  #queueUp(datagram: Buffer, to: Waiting["to"]): void {
    const now = performance.now();
    const startMs = Math.max(now, this.#freeMs);
    const isMedia = (datagram[0] ?? 0) >= MEDIA;
    const isLost = isMedia && this.loseOneIn > 0 && ++this.#media % this.loseOneIn === 0;
    if (isLost || startMs - now > this.queueMs) {
      this.dropped++;
      return;
    }
    this.#freeMs = startMs + ((datagram.length + HEADER_BYTES) * 8000) / this.rateBps;
    this.#queue.push({ datagram, to, dueMs: this.#freeMs });
    this.#release();
  }

  #release(): void {
    const now = performance.now();
    for (let first = this.#queue[0]; first !== undefined && first.dueMs <= now; first = this.#queue[0]) {
      this.#queue.shift();
      this.forwarded++;
      this.#front.send(first.datagram, first.to.port, first.to.address);
    }
  }
}

/** Lets a page's connections find another port in place of the node's, as `portFor` says. */
export async function throughShaper(page: Page, portFor: (port: number) => Promise<number>): Promise<void> {
  await page.exposeFunction("shaperFor", portFor);
  await page.addInitScript(`{
    globalThis.connections = [];
    globalThis.RTCPeerConnection = class extends RTCPeerConnection {
      constructor(...given) { super(...given); globalThis.connections.push(this); }
      async setRemoteDescription(description) {
        const port = Number(/^a=candidate:\\S+ 1 udp \\d+ \\S+ (\\d+) typ host/im.exec(description.sdp)?.[1]);
        const other = await shaperFor(port);
        const sdp = description.sdp.replaceAll(" " + port + " typ host", " " + other + " typ host");
        return super.setRemoteDescription({ type: description.type, sdp });
      }
    };
  }`);
}
