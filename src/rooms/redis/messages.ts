import { z } from "zod";

const id = z.string().min(1).max(512);
const room = { space: id, room: id };

/** What nodes tell each other about rooms. Read by a schema: a Redis may have other writers. */
const roomMessageSchema = z.discriminatedUnion("kind", [
  z.object({
    kind: z.literal("join"),
    ...room,
    member: id,
    name: id,
    joinedAtMs: z.number(),
    farewell: z.record(z.string(), z.unknown()).optional(),
    password: z.string().max(512).optional(),
    again: z.boolean(),
  }),
  z.object({ kind: z.literal("leave"), ...room, member: id }),
  z.object({ kind: z.literal("text"), ...room, text: z.string(), target: id.optional() }),
  z.object({ kind: z.literal("release"), ...room, member: id }),
  z.object({ kind: z.literal("sync"), members: z.array(id).readonly() }),
]);

/** A message with the node it comes from; without a message it says that the node is there, `hello` that it has come, `bye` that it goes. */
export const envelopeSchema = z.object({
  node: id,
  peerId: id.optional(),
  hello: z.boolean().optional(),
  bye: z.boolean().optional(),
  message: roomMessageSchema.optional(),
});
export type Envelope = z.output<typeof envelopeSchema>;
