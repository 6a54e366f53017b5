import { z } from "zod";
import type { EventType } from "./types.ts";

const id = z.string().min(1).max(512);
const text = z.string().max(4096);
const count = z.number().int().nonnegative();

const content = z.looseObject({ cid: id });
const transfer = z.looseObject({ transfer_id: id, cid: id });
const peer = z.looseObject({ peer_id: id });
const session = z.looseObject({ pc_id: id, cid: id });
/** `replaces`: the session whose lost connection this one stands for. `restarted`: by new ICE credentials. */
const established = session.extend({ replaces: id.optional(), restarted: z.boolean().optional() });
/** `pc_id` is the session whose connection was lost; `attempt` counts from 1, in a row. */
const reconnection = session.extend({ attempt: count, how: z.enum(["ice_restart", "new_session"]) });
const message = z.looseObject({ message: text, code: id.optional() });

/**
 * What `data` of an event holds, by type. Fields may be added within a version, so readers pass over those they do
 * not know; none is taken away.
 */
export const PAYLOADS = {
  content_added: content.extend({ name: text.optional(), size: count, content_type: id }),
  content_retrieved: content.extend({ size: count }),
  content_removed: content,
  pin_added: content.extend({ name: text.optional() }),
  pin_removed: content.extend({ name: text.optional() }),
  pin_progress: content.extend({ blocks: count, bytes: count }),
  pin_status_changed: content.extend({ status: z.enum(["pinning", "pinned", "failed", "unpinned"]) }),
  transfer_started: transfer.extend({
    method: id.optional(),
    peer_id: id.optional(),
    total_bytes: count.optional(),
  }),
  transfer_progress: transfer.extend({
    bytes: count,
    total_bytes: count.optional(),
    method: id.optional(),
  }),
  transfer_completed: transfer.extend({
    bytes: count,
    duration_seconds: z.number().nonnegative().optional(),
    method: id.optional(),
  }),
  transfer_failed: transfer.extend({ message: text, code: id.optional() }),
  peer_connected: peer.extend({
    address: text.optional(),
    direction: z.enum(["inbound", "outbound"]).optional(),
  }),
  peer_disconnected: peer,
  swarm_changed: z.looseObject({ peers: count }),
  cluster_peer_joined: peer,
  cluster_peer_left: peer,
  cluster_state_changed: z.looseObject({ state: id }),
  cluster_pin_added: content,
  cluster_pin_removed: content,
  webrtc_offer: session,
  webrtc_connected: established,
  webrtc_connection_created: session,
  webrtc_connection_established: established,
  webrtc_connection_closed: session.extend({ reason: text }),
  webrtc_stream_started: session,
  webrtc_stream_ended: session,
  webrtc_quality_changed: session.extend({
    quality_level: id,
    /** What changed, and why. */
    change: id.optional(),
    reason: id.optional(),
    previous_level: id.optional(),
    /** 0 to 100. */
    network_score: z.number().optional(),
    /** 0 to 1. */
    buffer_level: z.number().optional(),
    /** Milliseconds, percent, bits per second, milliseconds. */
    network_metrics: z
      .looseObject({
        rtt: z.number(),
        packet_loss: z.number(),
        bandwidth_estimate: z.number(),
        jitter: z.number(),
      })
      .optional(),
  }),
  webrtc_error: z.looseObject({ pc_id: id.optional(), cid: id.optional(), code: id, message: text }),
  /** `position_seconds`: where a new session goes on. */
  webrtc_reconnection_attempt: reconnection.extend({ position_seconds: z.number().nonnegative().optional() }),
  webrtc_reconnection_failed: reconnection.extend({ code: id, message: text }),
  system_metrics: z.looseObject({}),
  system_warning: message,
  system_error: message,
  system_info: message,
  custom_event: z.looseObject({}),
} as const satisfies Record<EventType, z.ZodType>;

/** `data` of an event of type `T`. */
export type PayloadOf<T extends EventType> = z.input<(typeof PAYLOADS)[T]>;
