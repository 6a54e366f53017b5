import { z } from "zod";
import { ERRORS, type ErrorCode } from "../../errors.ts";

/** Control of a viewer's playing, over a data channel or the signalling socket. See spec.md beside this file. */

/** Label of the data channel. */
export const CONTROL_LABEL = "control";
/** Largest message, bytes: commands have some dozen, `tracks` some hundred per track. */
export const MAX_CONTROL_MESSAGE_BYTES = 16 * 1024;
/** Commands per second and session: a hand on a seek bar makes some 60. */
export const MAX_COMMANDS_PER_SECOND = 100;
/** `position` events per second, at most. */
export const POSITIONS_PER_SECOND = 4;
/** Longest `id` of a command, characters. */
export const MAX_COMMAND_ID_LENGTH = 64;

/** Slowest and fastest that media is played, seconds of media per second. */
export const MIN_RATE = 0.25;
export const MAX_RATE = 4;
/** Rates at which sound is heard, at its own pitch; outside it is muted. */
export const MIN_SOUND_RATE = 0.5;
export const MAX_SOUND_RATE = 2;
/** Longest side of a picture on a screen, pixels. */
export const MAX_VIEW_SIDE = 65_535;
/** Shortest part that can be repeated, seconds: each turn costs a jump. */
export const MIN_LOOP_SECONDS = 0.2;

/** Longest `id` of captions, characters: that of an attached file holds its CID. */
export const MAX_TEXT_ID_LENGTH = 600;

const id = z.string().max(MAX_COMMAND_ID_LENGTH).optional().describe("Comes back in the answer.");
const seconds = z.number().min(0);
const count = z.number().int().nonnegative();
const place = seconds.max(Number.MAX_SAFE_INTEGER);
const viewSide = z.number().int().min(1).max(MAX_VIEW_SIDE);
const loopRange = z
  .object({ startSeconds: place, endSeconds: place })
  .refine(({ startSeconds, endSeconds }) => endSeconds - startSeconds >= MIN_LOOP_SECONDS, {
    error: `is at least ${MIN_LOOP_SECONDS} s long`,
  });

/** What a viewer asks for. */
export const controlCommand = z.discriminatedUnion("type", [
  z.object({ type: z.literal("pause"), id }),
  z.object({ type: z.literal("resume"), id }),
  z.object({
    type: z.literal("seek"),
    positionSeconds: place,
    /** False: the keyframe at or before the place will do, which is quicker. Default true. */
    exact: z.boolean().optional(),
    id,
  }),
  /** Repeats everything, or the part of `range`. */
  z.object({ type: z.literal("set_loop"), loop: z.boolean(), range: loopRange.optional(), id }),
  z.object({ type: z.literal("set_rate"), rate: z.number().min(MIN_RATE).max(MAX_RATE), id }),
  /** One picture on or back; pauses where it plays. */
  z.object({ type: z.literal("step"), frames: z.union([z.literal(1), z.literal(-1)]), id }),
  /** Size at which the picture is shown, pixels of the screen: no larger one is sent than fills it. */
  z.object({ type: z.literal("set_view"), width: viewSide, height: viewSide, id }),
  /** Sends all cues of some captions; null: of none. */
  z.object({ type: z.literal("captions"), trackId: z.string().max(MAX_TEXT_ID_LENGTH).nullable(), id }),
  z.object({ type: z.literal("get_state"), id }),
]);

const state = z.object({
  type: z.literal("state"),
  state: z.enum(["connecting", "playing", "paused", "buffering", "ended", "closed"]),
  positionSeconds: seconds,
  durationSeconds: seconds,
  loop: z.boolean(),
  /** The part that is repeated. */
  loopRange: loopRange.optional(),
  /** Seconds of media per second; 1 where a node says nothing. */
  rate: z.number().positive().optional(),
  /** False after a seek that shows an earlier picture than the one asked for. */
  exact: z.boolean().optional(),
  /** True where this rate is played without sound. */
  soundMuted: z.boolean().optional(),
  /** RTP time of the picture track from which on pictures are those of the place that was gone to last. */
  pictureTime: z.number().int().min(0).max(0xffff_ffff).optional(),
  id,
});
const codes = Object.keys(ERRORS) as [ErrorCode, ...ErrorCode[]];

/** What the node tells. */
export const controlEvent = z.discriminatedUnion("type", [
  state,
  z.object({ type: z.literal("position"), positionSeconds: seconds }),
  z.object({ type: z.literal("ended"), positionSeconds: seconds }),
  /**
   * Where a part is repeated: pictures that are only decoded on the way to its beginning follow, and then, with the RTP time of the
   * picture track from which on they are over, that it has been reached.
   */
  z.object({
    type: z.literal("lead_in"),
    pictureTime: z.number().int().min(0).max(0xffff_ffff).optional(),
  }),
  /** The media ended earlier than it says: the file is cut off or damaged there. After `ended`. */
  z.object({ type: z.literal("damaged"), positionSeconds: seconds, message: z.string() }),
  z.object({
    type: z.literal("tracks"),
    durationSeconds: seconds,
    tracks: z.array(
      z.object({
        id: z.string(),
        kind: z.enum(["video", "audio"]),
        codec: z.string(),
        /** Tag of its language (BCP 47, or as the file has it). */
        language: z.string().optional(),
        /** The content it comes from, where that is not the session's own. */
        cid: z.string().optional(),
        /** False for a track that this session does not carry. */
        sent: z.boolean(),
        verdict: z.object({ mode: z.enum(["passthrough", "transcode", "unplayable"]), reason: z.string() }),
      }),
    ),
  }),
  /** The quality is another: first when playing starts, then at each change. */
  z.object({
    type: z.literal("quality"),
    change: z.enum(["start", "up", "down", "chosen", "pictures_paused", "pictures_resumed"]),
    /** Name of the rung, and its picture's size in pixels; none without pictures. */
    rung: z.string().optional(),
    width: count.optional(),
    height: count.optional(),
    /** `paused`: the path carries too little for pictures, sound goes on. */
    pictures: z.enum(["sent", "paused"]),
    reason: z.string(),
    /** What the path is thought to carry, bits per second. */
    estimateBps: count,
  }),
  /** Captions and chapters that there are; nothing is said where there are none. */
  z.object({
    type: z.literal("text"),
    captions: z.array(
      z.object({ id: z.string(), language: z.string().optional(), label: z.string().optional() }),
    ),
    chapters: z.array(z.object({ startSeconds: seconds, title: z.string() })),
  }),
  /** Cues that were asked for, in order of time and in several messages: `[start, end, text]`, seconds of media. */
  z.object({
    type: z.literal("cues"),
    trackId: z.string(),
    cues: z.array(z.tuple([seconds, seconds, z.string()])),
    last: z.boolean(),
  }),
  z.object({ type: z.literal("cues_failed"), trackId: z.string(), code: z.enum(codes), message: z.string() }),
  z.object({ type: z.literal("error"), code: z.enum(codes), message: z.string(), id }),
]);

export type ControlCommandMessage = z.output<typeof controlCommand>;
export type ControlEventMessage = z.output<typeof controlEvent>;
/** An error event. */
export type ControlErrorMessage = Extract<ControlEventMessage, { type: "error" }>;

/** A command from its JSON text, or the error event that answers it. */
export function parseControlCommand(text: string): ControlCommandMessage | ControlErrorMessage {
  if (new TextEncoder().encode(text).length > MAX_CONTROL_MESSAGE_BYTES) {
    return failure("PAYLOAD_TOO_LARGE", `a control message has at most ${MAX_CONTROL_MESSAGE_BYTES} bytes`);
  }
  try {
    return readControlCommand(JSON.parse(text));
  } catch {
    return failure("INVALID_REQUEST", "a control message is a JSON object");
  }
}

/** A command from parsed JSON, or the error event that answers it. */
export function readControlCommand(json: unknown): ControlCommandMessage | ControlErrorMessage {
  const parsed = controlCommand.safeParse(json);
  if (parsed.success) return parsed.data;
  const given = z.object({ type: z.string() }).safeParse(json);
  if (!given.success) return failure("INVALID_REQUEST", "a control message has a text field `type`");
  const type = given.data.type.slice(0, MAX_COMMAND_ID_LENGTH);
  const known = controlCommand.options.some(option => option.shape.type.value === type);
  if (!known) return failure("INVALID_REQUEST", `unknown control message: ${type}`);
  const [issue] = parsed.error.issues;
  return failure("INVALID_REQUEST", `${type}: ${issue?.path.join(".") ?? ""} ${issue?.message ?? ""}`);
}

function failure(code: ErrorCode, message: string): ControlErrorMessage {
  return { type: "error", code, message };
}
