export { History, historyPackets, type SentPacket } from "./history.ts";
export { createJsEgress } from "./js-egress.ts";
export { LinkStats } from "./link-stats.ts";
export type {
  Egress,
  EgressFactory,
  EgressLink,
  EgressStats,
  EgressStream,
  LinkInit,
  StreamInit,
} from "./types.ts";
