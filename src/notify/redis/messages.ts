import { z } from "zod";

/** An event in the stream, with the node and number it was written under. Read by a schema: a Redis may have other writers. */
export const streamedSchema = z.object({
  node: z.string().min(1).max(128),
  serial: z.number().int().nonnegative(),
  event: z.object({
    topic: z.string(),
    data: z.record(z.string(), z.unknown()),
    atMs: z.number(),
    source: z.string().optional(),
    tenantId: z.string().optional(),
    latestKey: z.string().optional(),
  }),
});
export type Streamed = z.output<typeof streamedSchema>;

/**
 * Adds an event once, under the next offset. A node numbers its events; one that was added already, because the answer to the
 * first attempt was lost, is passed over.
 * KEYS: offset, stream, serials. ARGV: node, serial, entry, most entries.
 */
export const APPEND_SCRIPT = `
local last = redis.call('HGET', KEYS[3], ARGV[1])
if last and tonumber(ARGV[2]) <= tonumber(last) then return 0 end
local offset = redis.call('INCR', KEYS[1])
redis.call('XADD', KEYS[2], 'MAXLEN', '~', ARGV[4], offset .. '-0', 'e', ARGV[3])
redis.call('HSET', KEYS[3], ARGV[1], ARGV[2])
return offset`;
