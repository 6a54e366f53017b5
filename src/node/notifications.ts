import type { EventType } from "@cidcast/protocols/notifications";
import { snakeCase, type Translation } from "../notify/index.ts";

const SAME_NAME = [
  "content_added",
  "content_retrieved",
  "content_removed",
  "pin_added",
  "pin_removed",
  "pin_status_changed",
  "transfer_started",
  "transfer_completed",
  "transfer_failed",
  "peer_connected",
  "peer_disconnected",
  "swarm_changed",
  "cluster_peer_joined",
  "cluster_peer_left",
  "cluster_state_changed",
  "cluster_pin_added",
  "cluster_pin_removed",
  "webrtc_offer",
  "webrtc_connected",
  "webrtc_connection_created",
  "webrtc_connection_established",
  "webrtc_connection_closed",
  "webrtc_stream_started",
  "webrtc_stream_ended",
  "webrtc_quality_changed",
  "webrtc_error",
  "webrtc_reconnection_attempt",
  "webrtc_reconnection_failed",
  "system_warning",
  "system_error",
  "system_info",
] as const satisfies readonly EventType[];

/** The notification of each event of the node's bus; events that are not here stay inside the node. */
export const NODE_EVENTS: Readonly<Record<string, Translation>> = {
  ...Object.fromEntries(SAME_NAME.map(type => [type, { type }])),
  pin_progress: { type: "pin_progress", latestBy: "cid" },
  transfer_progress: { type: "transfer_progress", latestBy: "transfer_id" },
  system_metrics: { type: "system_metrics", latestBy: "all" },
  transcode_started: {
    type: "system_info",
    data: fields => ({ message: "transcode started", ...snakeCase(fields) }),
  },
  transcode_stopped: {
    type: "system_info",
    data: fields => ({ message: "transcode stopped", ...snakeCase(fields) }),
  },
  job_started: {
    type: "system_info",
    data: fields => ({ message: "job started", ...snakeCase(fields) }),
  },
  job_progress: {
    type: "system_info",
    data: fields => ({ message: "job progress", ...snakeCase(fields) }),
    latestBy: "job_id",
  },
  job_done: {
    type: "system_info",
    data: fields => ({ message: "job done", ...snakeCase(fields) }),
  },
  job_cancelled: {
    type: "system_info",
    data: fields => ({ message: "job cancelled", ...snakeCase(fields) }),
  },
  peer_banned: {
    type: "system_warning",
    data: ({ peerId, untilMs, reason }) => ({
      code: "PEER_BANNED",
      message: `peer ${String(peerId)} is banned for a time: ${String(reason)}`,
      peer_id: peerId,
      until_ms: untilMs,
    }),
  },
  provide_backlog: {
    type: "system_warning",
    data: fields => ({ code: "PROVIDE_BACKLOG", ...snakeCase(fields) }),
  },
  job_failed: { type: "system_error" },
  transcode_failed: {
    type: "system_error",
    data: fields => ({ code: "TRANSCODE_FAILED", ...snakeCase(fields) }),
  },
};
