/** How long a removal can be taken back, ms: time to read the line and press its button. */
export const UNDO_MS = 8_000;
/** Most files taken from one drop: a folder can hold any number. */
export const MAX_DROPPED_FILES = 1_000;
/** Files from this size on are sent so that they can be resumed, bytes: smaller ones are there sooner in one request. */
export const RESUMABLE_BYTES = 8 * 1024 * 1024;
/** Pictures of videos that a page keeps. */
export const MAX_POSTERS = 200;
