import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { systemClock } from "../../../src/core/index.ts";
import { Link, type LinkSettings, seeded } from "./link.ts";
import type { Step } from "./scenarios.ts";

const HOST = "127.0.0.1";
const SOCKET_BUFFER_BYTES = 4 * 1024 * 1024;

interface Passing {
  readonly viewer: Viewer;
  readonly datagram: Buffer;
}

interface Viewer {
  readonly port: number;
  /** Where the node sees this viewer. */
  outside: Socket;
  /** What it was sent since the count began, bytes of datagrams. */
  bytes: number;
}

/** What a path is like, both ways. */
export interface PathSettings {
  readonly down?: LinkSettings;
  readonly up?: LinkSettings;
}

/**
 * A network of one bottleneck each way between a node and viewers, in user space: viewers send to `port` as if it were the
 * node's. Each viewer has an address of its own on the node's side.
 */
export class Network implements AsyncDisposable {
  readonly down: Link<Passing>;
  readonly up: Link<Passing>;
  readonly #inside: Socket;
  readonly #nodePort: number;
  readonly #viewers = new Map<number, Viewer>();

  static async open(nodePort: number, seed = 1): Promise<Network> {
    return new Network(await bound(), nodePort, seed);
  }

  private constructor(inside: Socket, nodePort: number, seed: number) {
    this.#inside = inside;
    this.#nodePort = nodePort;
    const random = seeded(seed);
    const common = { clock: systemClock, random };
    this.down = new Link({
      ...common,
      deliver: ({ viewer, datagram }) => {
        viewer.bytes += datagram.length;
        inside.send(datagram, viewer.port, HOST, ignore);
      },
    });
    this.up = new Link({
      ...common,
      deliver: ({ viewer, datagram }) => viewer.outside.send(datagram, this.#nodePort, HOST, ignore),
    });
    inside.on("message", (datagram, from) => void this.#fromViewer(datagram, from.port));
  }

  get port(): number {
    return this.#inside.address().port;
  }

  set({ down, up }: PathSettings): void {
    if (down !== undefined) this.down.set(down);
    if (up !== undefined) this.up.set(up);
  }

  /** Bytes that each viewer was sent since the count began, at the latest with the network. */
  get shares(): readonly number[] {
    return [...this.#viewers.values()].map(({ bytes }) => bytes);
  }

  /** Does what the steps say, each at its time after now. */
  async walk(steps: readonly Step[]): Promise<void> {
    const beginMs = performance.now();
    for (const { atSeconds, path, move, count } of steps) {
      await sleep(Math.max(0, beginMs + atSeconds * 1000 - performance.now()));
      if (path !== undefined) this.set(path);
      if (move === true) await this.move();
      if (count === true) for (const viewer of this.#viewers.values()) viewer.bytes = 0;
    }
  }

  /** From now on the node sees each viewer at another address, as after a change of network. */
  async move(): Promise<void> {
    for (const viewer of this.#viewers.values()) {
      const before = viewer.outside;
      viewer.outside = await this.#outside(viewer.port);
      before.close();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.down.close();
    this.up.close();
    this.#inside.close();
    for (const { outside } of this.#viewers.values()) outside.close();
  }

  async #fromViewer(datagram: Buffer, port: number): Promise<void> {
    let viewer = this.#viewers.get(port);
    if (viewer === undefined) {
      const outside = createSocket("udp4");
      viewer = { port, outside, bytes: 0 };
      this.#viewers.set(port, viewer);
      viewer.outside = await this.#outside(port, outside);
    }
    this.up.push({ viewer, datagram }, datagram.length);
  }

  async #outside(port: number, socket = createSocket("udp4")): Promise<Socket> {
    socket.on("message", datagram => {
      const viewer = this.#viewers.get(port);
      if (viewer !== undefined) this.down.push({ viewer, datagram }, datagram.length);
    });
    await bind(socket);
    return socket;
  }
}

async function bound(): Promise<Socket> {
  const socket = createSocket("udp4");
  await bind(socket);
  return socket;
}

async function bind(socket: Socket): Promise<void> {
  socket.bind(0, HOST);
  await once(socket, "listening");
  socket.setRecvBufferSize(SOCKET_BUFFER_BYTES);
  socket.setSendBufferSize(SOCKET_BUFFER_BYTES);
}

function ignore(): void {
  // A path loses packets.
}
