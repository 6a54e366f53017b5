import { createSocket, type Socket } from "node:dgram";

/** Bytes that IP and UDP add to a datagram. */
const HEADER_BYTES = 28;
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
  dropped = 0;
  forwarded = 0;

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
    if (startMs - now > this.queueMs) {
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
