import { CidcastError, messageOf, toCidcastError } from "../../core/index.ts";
import type { Egress } from "../rtp/egress/index.ts";
import { IceTcp, UdpMux } from "../net/index.ts";
import { SegmentCache } from "../rtp/packetise/index.ts";
import type { PeerFactory } from "../peer.ts";
import { createPeerFactory } from "../werift/index.ts";
import { createEgress } from "./create-egress.ts";
import type {
  FromHost,
  HostInit,
  HostPort,
  HostRequest,
  HostRequests,
  HostStats,
  ToHost,
  WireError,
} from "./messages.ts";
import { Viewer } from "./viewer.ts";
import { warmUp } from "./warm-up.ts";

/** Time between two looks at what is due, ms. */
const TICK_MS = 5;
/** Lateness of our own loop that the viewers' logs tell of, ms. */
const LATE_MS = 200;

/** Runs viewers on one UDP port, and answers one manager through `port`. Ends when it is told to `stop`. */
export async function runHost(init: HostInit, port: HostPort): Promise<void> {
  const tell = (message: FromHost): void => port.postMessage(message);
  try {
    const mux = await UdpMux.listen(init);
    const { egress, reason } = await createEgress({
      socket: mux.socket,
      kind: init.egress,
      onFallback: why => tell({ type: "egress", kind: "js", reason: why }),
    });
    const { address, port: udpPort } = mux.address;
    const { tcp, tcpReason } = await listenTcp(init, mux);
    const addresses = init.announcedAddresses.length > 0 ? init.announcedAddresses : [address];
    const peers = await createPeerFactory({
      mux,
      addresses,
      tcpPort: tcp?.port,
      stunServer: init.stunServer,
    });
    const host = new Host({ mux, tcp, egress, peers, tell, port });
    // Only the manager of this host holds the other end of the port.
    port.on("message", message => host.receive(message as ToHost));
    tell({
      type: "ready",
      host: address,
      port: udpPort,
      egress: egress.kind,
      egressReason: reason,
      tcpReason,
    });
    if (init.warmUp) await warmUp({ peers, egress, host: init.host });
  } catch (error) {
    tell({ type: "failed", error: wireError(error) });
    port.close();
  }
}

/** ICE over TCP, on the number of the UDP port. Without it UDP goes on alone. */
async function listenTcp(
  init: HostInit,
  mux: UdpMux,
): Promise<{ readonly tcp: IceTcp | undefined; readonly tcpReason: string | undefined }> {
  if (!init.tcp) return { tcp: undefined, tcpReason: undefined };
  const { port } = mux.address;
  try {
    return { tcp: await IceTcp.listen({ host: init.host, port, mux: mux.address }), tcpReason: undefined };
  } catch (error) {
    return { tcp: undefined, tcpReason: `TCP port ${port} cannot be had: ${messageOf(error)}` };
  }
}

interface HostParts {
  readonly mux: UdpMux;
  readonly tcp: IceTcp | undefined;
  readonly egress: Egress;
  readonly peers: PeerFactory;
  readonly tell: (message: FromHost) => void;
  readonly port: HostPort;
}

type Handlers = {
  readonly [K in keyof HostRequests]: (
    argument: HostRequests[K]["argument"],
  ) => Promise<HostRequests[K]["answer"]> | HostRequests[K]["answer"];
};

class Host {
  readonly #parts: HostParts;
  readonly #viewers = new Map<string, Viewer>();
  readonly #cache = new SegmentCache();
  #timer: NodeJS.Timeout | undefined;
  #lastTickMs = 0;
  #maxLagMs = 0;

  constructor(parts: HostParts) {
    this.#parts = parts;
  }

  receive(message: ToHost): void {
    if (message.type === "segment") {
      this.#viewers.get(message.id)?.deliver(message.track, message.ticket, message.segment, message.rung);
      this.#parts.egress.flush();
    } else if (message.type === "say") {
      this.#viewers.get(message.id)?.say(message.event, message.keep);
    } else if (message.type === "follow") {
      this.#viewers.get(message.id)?.follow();
    } else if (message.type === "segment_silent") {
      this.#viewers.get(message.id)?.silence(message.track, message.ticket);
    } else if (message.type === "channel") {
      this.#viewers.get(message.id)?.channel(message.channel, message.text);
    } else if (message.type === "segment_failed") {
      this.#viewers.get(message.id)?.failSegment(message.track, message.ticket, message.error);
    } else {
      void this.#answer(message);
    }
  }

  async #answer(message: HostRequest): Promise<void> {
    const { request } = message;
    try {
      // The handler belongs to the type, so the argument is its own.
      const handler = this.#handlers[message.type] as (argument: unknown) => unknown;
      const value = await handler(message.argument);
      this.#parts.tell({ type: "reply", request, value, error: undefined });
      if (message.type === "stop") this.#parts.port.close();
    } catch (error) {
      this.#parts.tell({ type: "reply", request, value: undefined, error: wireError(error) });
    }
  }

  readonly #handlers: Handlers = {
    open: async open => {
      const { peers, egress, tell } = this.#parts;
      const viewer = new Viewer({ open, peers, egress, cache: this.#cache, tell });
      this.#viewers.set(open.id, viewer);
      this.#run();
      try {
        return { sdp: await viewer.describe() };
      } catch (error) {
        await this.#close(open.id);
        throw error;
      }
    },
    answer: async ({ id, sdp }) => {
      await this.#viewers.get(id)?.answer(sdp);
      return undefined;
    },
    add_track: async ({ id, ...added }) => ({ sdp: await this.#viewer(id).addTrack(added) }),
    change_track: ({ id, ...change }) => {
      this.#viewer(id).changeTrack(change);
      return undefined;
    },
    offer_restart: async ({ id }) => ({ sdp: await this.#viewer(id).peer.offerRestart() }),
    restart_ice: ({ id, remote }) => this.#viewer(id).peer.restartIce(remote),
    candidate: async ({ id, candidate }) => {
      await this.#viewers.get(id)?.peer.addCandidate(candidate);
      return undefined;
    },
    control: ({ id, command }) => this.#viewer(id).control(command),
    quality: ({ id, wish }) => {
      this.#viewer(id).setQuality(wish);
      return undefined;
    },
    session_log: ({ id }) => this.#viewer(id).decisions,
    session_stats: ({ id }) => this.#viewer(id).stats(performance.now()),
    host_stats: () => this.#stats(),
    close: async ({ id }) => {
      const totals = this.#viewers.get(id)?.totals(performance.now());
      await this.#close(id);
      return totals;
    },
    stop: async () => {
      await Promise.all([...this.#viewers.keys()].map(id => this.#close(id)));
      clearInterval(this.#timer);
      this.#parts.egress.close();
      await this.#parts.tcp?.close();
      await this.#parts.mux.close();
      return undefined;
    },
  };

  #viewer(id: string): Viewer {
    const viewer = this.#viewers.get(id);
    if (viewer === undefined) throw gone(id);
    return viewer;
  }

  async #close(id: string): Promise<void> {
    const viewer = this.#viewers.get(id);
    this.#viewers.delete(id);
    await viewer?.close();
    if (this.#viewers.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  /** The clock runs while there are viewers. */
  #run(): void {
    if (this.#timer !== undefined) return;
    this.#lastTickMs = performance.now();
    this.#timer = setInterval(() => this.#tick(), TICK_MS);
  }

  #tick(): void {
    const now = performance.now();
    const lagMs = now - this.#lastTickMs - TICK_MS;
    this.#maxLagMs = Math.max(this.#maxLagMs, lagMs);
    this.#lastTickMs = now;
    if (lagMs >= LATE_MS) for (const viewer of this.#viewers.values()) viewer.late(lagMs, now);
    for (const viewer of this.#viewers.values()) viewer.tick(now);
    this.#parts.egress.flush();
  }

  #stats(): HostStats {
    const { egress, mux, tcp } = this.#parts;
    const maxTickLagMs = this.#maxLagMs;
    this.#maxLagMs = 0;
    return {
      egress: egress.kind,
      sessions: this.#viewers.size,
      segments: this.#cache.size,
      ...egress.stats,
      received: mux.stats.received,
      refused: mux.stats.refused,
      unknown: mux.stats.unknown,
      tcpConnections: tcp?.stats.connections ?? 0,
      tcpRefused: tcp?.stats.refused ?? 0,
      tcpDropped: tcp?.stats.dropped ?? 0,
      maxTickLagMs,
    };
  }
}

function gone(id: string): CidcastError {
  return new CidcastError("SESSION_NOT_FOUND", `session ${id} is closed`);
}

/** An error as it crosses threads. */
export function wireError(error: unknown): WireError {
  const { code, message } = toCidcastError(error);
  return { code, message };
}
