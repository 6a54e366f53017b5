import {
  type ControlCommandMessage,
  type ControlEventMessage,
  controlEvent,
} from "@cidcast/protocols/media-control";
import { type ClientError, errorFromWire } from "./client-error.ts";

/** What a viewer can ask of a session. */
export type ControlCommand = ControlCommandMessage;
/** How playing stands, as the node sees it. */
export type PlaybackReport = Extract<ControlEventMessage, { type: "state" }>;
/** A part that is repeated, seconds of media. */
export type LoopRange = NonNullable<PlaybackReport["loopRange"]>;
/** A track and what happens to it on its way. */
export type TrackReport = Extract<ControlEventMessage, { type: "tracks" }>["tracks"][number];
/** What a node says about a session. */
export type ControlEvent =
  | Exclude<ControlEventMessage, { type: "error" }>
  | { readonly type: "error"; readonly error: ClientError };

/** An event of media control from its JSON text; undefined when it is none that is known here. */
export function parseControlEvent(text: unknown): ControlEvent | undefined {
  if (typeof text !== "string") return undefined;
  try {
    return readControlEvent(JSON.parse(text));
  } catch {
    return undefined;
  }
}

/** An event of media control from parsed JSON; undefined when it is none that is known here. */
export function readControlEvent(json: unknown): ControlEvent | undefined {
  const parsed = controlEvent.safeParse(json);
  if (parsed.success && parsed.data.type !== "error") return parsed.data;
  if (!isError(json)) return undefined;
  // A newer node may know codes that this client does not: such an error is still one.
  return {
    type: "error",
    error: errorFromWire(json.code, typeof json.message === "string" ? json.message : undefined),
  };
}

function isError(json: unknown): json is { code?: unknown; message?: unknown } {
  return typeof json === "object" && json !== null && "type" in json && json.type === "error";
}
