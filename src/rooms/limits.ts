/** Members of one room where the configuration says nothing. */
export const MAX_MEMBERS = 20;
/** Rooms of a node at a time, those of other nodes included. */
export const MAX_ROOMS = 10_000;
/** Sessions that one connection may be a member of. */
export const MAX_SESSIONS_PER_CONNECTION = 16;
/** Connections to the rooms from one address at a time. */
export const MAX_CONNECTIONS_PER_ADDRESS = 100;
/** Connections to the rooms at a time. */
export const MAX_CONNECTIONS = 10_000;
/** Longest message, characters. A session description with all candidates has about 10,000. */
export const MAX_MESSAGE_CHARS = 128 * 1024;
/** Longest name of a room, user or peer, characters. */
export const MAX_NAME_CHARS = 256;
/** Longest password of a room, characters. */
export const MAX_PASSWORD_CHARS = 256;
/** Messages that a connection may send in a burst: an offer with all its candidates. */
export const MESSAGE_BURST = 200;
/** Messages per second that a connection may send for long. */
export const MESSAGES_PER_SECOND = 50;
/** Refused messages after which a connection is closed. */
export const MAX_REFUSED = 100;
/** Bytes waiting in a member's socket at which it is given up. */
export const MAX_BUFFERED_BYTES = 4 * 1024 * 1024;
/** Candidates that wait with an unanswered offer for the next member; one more is relayed but does not wait. */
export const MAX_HELD_CANDIDATES = 64;
/** Characters of an offer and its candidates that wait for the next member. */
export const MAX_HELD_CHARS = 256 * 1024;
/** Time without a message after which a member is taken out of its room, milliseconds. */
export const MEMBER_IDLE_MS = 60 * 60_000;
/** Time that a session without members waits for one, milliseconds. */
export const ROOM_IDLE_MS = 10 * 60_000;
/** Time between two looks for idle members and rooms, milliseconds. */
export const SWEEP_MS = 30_000;
/** Life of a token that lets a peer take its place again, seconds. */
export const RESUME_TOKEN_SECONDS = 24 * 60 * 60;
/** Peer connections and tracks known of one session. */
export const MAX_SESSION_ITEMS = 256;
