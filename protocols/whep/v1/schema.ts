import { z } from "zod";

/** Longest id of a session in an address, characters. */
export const MAX_SESSION_ID_LENGTH = 64;

/** `/whep/session/<id>`. */
export const sessionParams = z.object({
  id: z.string().min(1).max(MAX_SESSION_ID_LENGTH).describe("Id of the session, from `Location`."),
});
