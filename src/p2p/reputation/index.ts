export { Reputations } from "./reputation.ts";
export type { PeerFacts, PeerOutcome, Reputation, ReputationEvents } from "./types.ts";
