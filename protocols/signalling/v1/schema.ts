import { z } from "zod";
import type { ErrorCode } from "../../errors.ts";
import { MAX_VIEW_SIDE } from "../../media-control/v1/schema.ts";

/** WebRTC signalling: how a viewer gets a session. See spec.md beside this file. */

/** Largest message, bytes: an SDP with every codec a browser has is some ten thousand. */
export const MAX_SIGNALLING_MESSAGE_BYTES = 256 * 1024;
/** Messages per second and connection: candidates come in bursts, seeks up to 60 a second. */
export const MAX_MESSAGES_PER_SECOND = 200;
/** Tracks named ahead of an offer (`add_ipfs_track`), per connection. */
export const MAX_NAMED_TRACKS = 16;
/** Offers of one connection that may wait for each other. */
export const MAX_WAITING_OFFERS = 16;
/** Longest CID, id or candidate, characters. */
export const MAX_SHORT_TEXT = 2048;

/** Largest number of an attempt to come again. */
export const MAX_ATTEMPT = 1_000_000;
/** Largest bitrate that can be named, bits per second. */
export const MAX_BITRATE_BPS = 10_000_000_000;

const viewSide = z.number().int().min(1).max(MAX_VIEW_SIDE);
const shortText = z.string().max(MAX_SHORT_TEXT);
const name = shortText.min(1);
const pcId = name.optional();
const qualities = ["auto", "very_low", "low", "medium", "high", "very_high"] as const;
const kind = z.enum(["video", "audio"]);

/** Messages of a viewer. Fields that are not named here are passed over: two generations of clients send more. */
export const clientMessages = {
  offer_request: z.object({
    type: z.literal("offer_request"),
    cid: shortText.optional(),
    kind: kind.nullish(),
    quality: z.string().max(64).nullish(),
    /** Where playing starts. */
    startSeconds: z.number().min(0).nullish(),
    /** The session whose connection was lost, and which attempt this is to go on in its place. */
    replaces: z.object({ pc_id: name, attempt: z.number().int().min(1).max(MAX_ATTEMPT) }).nullish(),
    /** What the path carried last time, bits per second: the first rung of prepared content is chosen by it. */
    bandwidthBps: z.number().int().min(1).max(MAX_BITRATE_BPS).nullish(),
    /** No more than that, all tracks together, bits per second. */
    maxBitrateBps: z.number().int().min(1).max(MAX_BITRATE_BPS).nullish(),
    /** Size at which the picture is shown, pixels of the screen. */
    view: z.object({ width: viewSide, height: viewSide }).nullish(),
    /** Tracks of the content, or names that `add_ipfs_track` gave. */
    track_ids: z.array(name).max(MAX_NAMED_TRACKS).nullish(),
  }),
  answer: z.object({
    type: z.literal("answer"),
    pc_id: name,
    sdp: z.string().min(1),
    sdpType: z.literal("answer").nullish(),
  }),
  candidate: z.object({
    type: z.literal("candidate"),
    pc_id: name,
    candidate: shortText.nullable(),
    sdpMid: shortText.nullish(),
    sdpMLineIndex: z.number().int().min(0).nullish(),
  }),
  add_track: z.object({
    type: z.literal("add_track"),
    pc_id: name,
    cid: name,
    kind: kind.nullish(),
    /** A certain track of that content. */
    track_id: name.nullish(),
  }),
  /** Switches a track on or off, or puts another one of the content in its place. */
  set_track: z.object({
    type: z.literal("set_track"),
    pc_id: name,
    track_id: name,
    enabled: z.boolean().nullish(),
  }),
  remove_track: z.object({ type: z.literal("remove_track"), pc_id: name, track_id: name }),
  restart_ice: z.object({ type: z.literal("restart_ice"), pc_id: name }),
  get_stats: z.object({
    type: z.literal("get_stats"),
    pc_id: pcId.nullish(),
    include_global: z.boolean().nullish(),
  }),
  set_quality: z.object({
    type: z.literal("set_quality"),
    pc_id: pcId.nullish(),
    quality: shortText.nullish(),
  }),
  close: z.object({ type: z.literal("close"), pc_id: pcId.nullish() }),
  ping: z.object({ type: z.literal("ping") }),
  control: z.object({ type: z.literal("control"), pc_id: name, command: z.unknown() }),
  add_ipfs_track: z.object({
    type: z.literal("add_ipfs_track"),
    cid: name,
    pc_id: pcId.nullish(),
    track_id: name.nullish(),
  }),
  stats_request: z.object({ type: z.literal("stats_request"), pc_id: pcId.nullish() }),
  quality_change: z.object({
    type: z.literal("quality_change"),
    pc_id: name,
    quality: shortText.default("medium"),
  }),
} as const;

/** Types of messages that a viewer may send. */
export type ClientMessageType = keyof typeof clientMessages;
/** A viewer's message of one type. */
export type ClientMessage<T extends ClientMessageType = ClientMessageType> = z.output<
  (typeof clientMessages)[T]
>;

/** True for a type that a viewer may send. */
export function isClientMessageType(type: unknown): type is ClientMessageType {
  return typeof type === "string" && Object.hasOwn(clientMessages, type);
}

/** Names of quality levels. */
export const qualityLevel = z.enum(qualities);

/** What this signalling can do, as `welcome` says. */
export const CAPABILITIES = ["video", "audio"] as const;

/** First message on a greeting connection. */
export function welcome(clientId: string, notificationSupport: boolean) {
  return {
    type: "welcome",
    client_id: clientId,
    message: "IPFS WebRTC signaling server connected",
    capabilities: CAPABILITIES,
    notification_support: notificationSupport,
  } as const;
}

/** Texts of errors that clients know by heart. */
export const TEXTS = {
  invalidJson: "Invalid JSON message",
  unknownType: (type: string) => `Unknown message type: ${type}`,
  serverError: (what: string) => `Server error: ${what}`,
  answerFailed: (id: string) => `Failed to handle answer for ${id}`,
  addTrackFailed: (id: string) => `Failed to add track for ${id}`,
  restartFailed: (id: string) => `Failed to restart ICE for ${id}`,
  missingQuality: "Missing pc_id or quality parameter",
  unknownConnection: (id: string) => `Unknown peer connection ID: ${id}`,
  missingCid: "Missing cid parameter",
  tooLarge: `Message too large: at most ${MAX_SIGNALLING_MESSAGE_BYTES} bytes`,
  tooMany: `Too many messages: at most ${MAX_MESSAGES_PER_SECOND} per second`,
} as const;

/** An error message. `message` is for people, `code` is stable. */
export interface ErrorMessage {
  readonly type: "error";
  readonly message: string;
  readonly code: ErrorCode;
  /** What is behind a `message` that only says what failed. */
  readonly reason?: string;
  readonly pc_id?: string;
  readonly retryAfterSeconds?: number;
}
