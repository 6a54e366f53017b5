import { randomUUID } from "node:crypto";
import type { PeerInfo, SessionOptions } from "@cidcast/protocols/rooms";
import { CidcastError, type Clock } from "../../core/index.ts";
import { MAX_ROOMS, MAX_SESSION_ITEMS, ROOM_IDLE_MS, SWEEP_MS } from "../limits.ts";

export interface SessionPeer extends PeerInfo {
  readonly peer_id: string;
}

export interface PeerLink {
  readonly source: string;
  readonly target: string;
}

export interface Session {
  readonly id: string;
  /** Only clients of this tenant see it; undefined: only those of none. */
  readonly tenantId: string | undefined;
  readonly options: SessionOptions;
  readonly createdAtMs: number;
  readonly peers: Map<string, SessionPeer>;
  readonly connections: Map<string, PeerLink>;
  /** Owner of each track, by id of the track. */
  readonly tracks: Map<string, { readonly owner: string; readonly info: Readonly<Record<string, unknown>> }>;
  emptySinceMs: number | undefined;
}

/** The multi-peer sessions of a node. One without peers ends after a while. */
export interface SessionStore {
  create(options: SessionOptions, tenantId: string | undefined): Session;
  /** The session of that id, when it belongs to the tenant. */
  get(id: string, tenantId: string | undefined): Session | undefined;
  list(publicOnly: boolean, tenantId: string | undefined): Session[];
  /** Takes a peer out, with its tracks and connections. */
  removePeer(session: Session, peerId: string): void;
  close(): void;
}

export function createSessionStore(clock: Clock, expired: () => void): SessionStore {
  const sessions = new Map<string, Session>();
  const stop = clock.every(SWEEP_MS, () => {
    for (const session of sessions.values()) {
      if (session.emptySinceMs === undefined || clock.now() - session.emptySinceMs < ROOM_IDLE_MS) continue;
      sessions.delete(keyOf(session.id, session.tenantId));
      expired();
    }
  });
  return {
    create(options, tenantId) {
      const id = options.session_id ?? randomUUID();
      const key = keyOf(id, tenantId);
      if (sessions.has(key)) throw new CidcastError("CONFLICT", `There is a session ${id} already`);
      if (sessions.size >= MAX_ROOMS)
        throw new CidcastError("LIMIT_REACHED", `At most ${MAX_ROOMS} sessions`);
      const session: Session = {
        id,
        tenantId,
        options,
        createdAtMs: clock.now(),
        peers: new Map(),
        connections: new Map(),
        tracks: new Map(),
        emptySinceMs: clock.now(),
      };
      sessions.set(key, session);
      return session;
    },
    get: (id, tenantId) => sessions.get(keyOf(id, tenantId)),
    list: (publicOnly, tenantId) =>
      [...sessions.values()].filter(
        session => session.tenantId === tenantId && (!publicOnly || session.options.public),
      ),
    removePeer(session, peerId) {
      session.peers.delete(peerId);
      for (const [id, link] of session.connections) {
        if (link.source === peerId || link.target === peerId) session.connections.delete(id);
      }
      for (const [id, track] of session.tracks) if (track.owner === peerId) session.tracks.delete(id);
      if (session.peers.size === 0) session.emptySinceMs = clock.now();
    },
    close() {
      stop();
      sessions.clear();
    },
  };
}

/** Two tenants may use one id for sessions of their own. */
function keyOf(id: string, tenantId: string | undefined): string {
  return `${tenantId ?? ""}\n${id}`;
}

/** Adds to a map that has an end. */
export function addItem<T>(map: Map<string, T>, id: string, item: T): void {
  if (!map.has(id) && map.size >= MAX_SESSION_ITEMS) {
    throw new CidcastError("LIMIT_REACHED", `A session has at most ${MAX_SESSION_ITEMS} of these`);
  }
  map.set(id, item);
}

/** A session as clients see it. */
export function describe(session: Session): Readonly<Record<string, unknown>> {
  return {
    session_id: session.id,
    session_type: session.options.session_type,
    max_peers: session.options.max_peers,
    public: session.options.public,
    protected: session.options.password !== undefined,
    created_at: session.createdAtMs / 1000,
    peer_count: session.peers.size,
    peers: [...session.peers.values()].map(({ peer_id, role }) => ({ peer_id, role })),
    tracks: [...session.tracks].map(([track_id, { owner, info }]) => ({ ...info, track_id, peer_id: owner })),
  };
}
