/** Shortest time between two keyframes that a viewer asked for, ms: each costs a step back. */
export const KEYFRAME_INTERVAL_MS = 300;

/** Frames that leave this much after their time count as late, seconds: two frames at 30 per second. */
export const LATE_SECONDS = 0.066;
/** Shortest frame that counts as a step, seconds: a place in the middle of rounding is the same place. */
export const EPSILON = 1e-6;
/**
 * Between the pictures that are only decoded and the one asked for, seconds: browsers that get both within one refresh
 * of the screen may leave the later one out, and while paused none follows.
 */
export const SETTLE_SECONDS = 0.05;
/** A step back looks for the picture shown this long before the one that is shown, seconds. */
export const STEP_BACK_SECONDS = 1e-4;
