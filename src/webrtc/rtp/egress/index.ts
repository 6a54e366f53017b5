export { type BatchedEgressInit, createBatchedEgress } from "./batched/batched-egress.ts";
export { loadNative, type NativeCalls } from "./batched/native.ts";
export { History, historyPackets, type SentPacket } from "./history.ts";
export { createJsEgress } from "./js-egress.ts";
export { LinkStats } from "./link-stats.ts";
export type {
  Egress,
  EgressFactory,
  EgressKind,
  EgressLink,
  EgressStats,
  EgressStream,
  LinkInit,
  StreamInit,
} from "./types.ts";
