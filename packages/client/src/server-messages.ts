import { z } from "zod";

/** What the node says over signalling, as far as a viewer needs it; fields and types that are not known are passed over. */
export const serverMessage = z.discriminatedUnion("type", [
  z.object({
    type: z.literal("offer"),
    pc_id: z.string(),
    sdp: z.string(),
    /** Levels to choose from; absent where there is one quality. */
    qualities: z.array(z.string()).optional(),
    ice_servers: z
      .array(
        z.object({
          urls: z.array(z.string()),
          username: z.string().optional(),
          credential: z.string().optional(),
        }),
      )
      .optional(),
  }),
  z.object({ type: z.literal("connected"), pc_id: z.string() }),
  /** New ICE credentials of a session that is there. */
  z.object({ type: z.literal("restart_offer"), pc_id: z.string(), sdp: z.string() }),
  z.object({
    type: z.literal("candidate"),
    pc_id: z.string().optional(),
    candidate: z.string(),
    sdpMid: z.string().nullish(),
    sdpMLineIndex: z.number().int().nullish(),
  }),
  z.object({ type: z.literal("stats"), connection_stats: z.record(z.string(), z.unknown()) }),
  z.object({ type: z.literal("closed"), pc_id: z.string(), reason: z.string().optional() }),
  /** An event of media control, where that goes over this socket. */
  z.object({ type: z.literal("control"), pc_id: z.string(), event: z.unknown() }),
  z.object({
    type: z.literal("error"),
    message: z.string(),
    code: z.string().optional(),
    pc_id: z.string().optional(),
  }),
]);

export type ServerMessage = z.output<typeof serverMessage>;
