/** How long a connection may be interrupted before it counts as lost, ms: a change of network takes this long. */
export const INTERRUPTION_MS = 4_000;
/** Longest time from the answer to a connection, ms. */
export const CONNECTED_TIMEOUT_MS = 15_000;
/** Commands kept until the control channel is open: later ones replace nothing, so a viewer cannot fill it. */
export const MAX_WAITING_COMMANDS = 32;
/** How long after the connection the data channel may take before control goes over the signalling socket, ms. */
export const CONTROL_FALLBACK_MS = 5_000;
/** How often a new data channel is asked for an answer before commands are sent over it without one. */
export const FIRST_ATTEMPTS = 5;
/** How long such an answer may take until the next attempt, ms. */
export const FIRST_RETRY_MS = 200;
/** Longest wait for the node's figures of a session, ms. */
export const STATS_TIMEOUT_MS = 5_000;
