/** Sessions of one owner, a signalling connection for instance: a page plays a few things at a time. */
export const MAX_SESSIONS_PER_OWNER = 16;
/** Time a viewer has to answer our offer, ms. */
export const ANSWER_TIMEOUT_MS = 30_000;
/** Time from the answer until ICE and DTLS are up, ms. */
export const CONNECT_TIMEOUT_MS = 15_000;
/** What a viewer is told to wait when all places are taken, seconds. */
export const BUSY_RETRY_SECONDS = 5;
/** Segments of a track whose successor may be asked for: the host is never further back. */
export const KNOWN_SEGMENTS = 8;
/** Sessions that ended and can still be named as the one that a new session replaces. */
export const MAX_ENDED_REMEMBERED = 1000;
/** Tracks in one session. */
export const MAX_TRACKS = 8;
/** Media sections of one session, those of tracks that were removed among them: each lengthens every description. */
export const MAX_MEDIA_SECTIONS = 24;
/** Largest SDP taken, characters: a browser's with every codec has some ten thousand. */
export const MAX_SDP_LENGTH = 128 * 1024;
/** How long credentials for TURN are good where nobody says, seconds. */
export const DEFAULT_TURN_TTL_SECONDS = 86_400;
/** Viewers that may wait for their turn to join. */
export const MAX_WAITING_JOINS = 128;
