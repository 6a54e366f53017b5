import type { LinkFigures } from "./messages.ts";

/** Of a viewer that is not connected. */
export const NO_FIGURES: LinkFigures = {
  bytesSent: 0,
  packetsSent: 0,
  retransmitted: 0,
  soundRepeated: 0,
  nacks: 0,
  keyframeRequests: 0,
  roundTripMs: undefined,
  jitterMs: undefined,
  packetLoss: 0,
  receivedBps: undefined,
  estimateBps: undefined,
  estimateCause: "start",
  queueMs: 0,
  limitBps: undefined,
  streams: 0,
};
