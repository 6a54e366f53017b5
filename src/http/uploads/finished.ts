import { readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { addedContent } from "@cidcast/protocols/node-api";
import { z } from "zod";

const SUFFIX = ".added";

const finished = z.object({
  id: z.string(),
  tenantId: z.string().optional(),
  finishedAtMs: z.number(),
  added: addedContent,
});
/** An upload that has become content. */
export type Finished = z.output<typeof finished>;

/** Outcomes of uploads, kept beside their bytes: whoever lost the last answer asks again. */
export interface FinishedUploads {
  get(id: string): Promise<Finished | undefined>;
  keep(outcome: Finished): Promise<void>;
  /** Forgets those from before `beforeMs`. */
  sweep(beforeMs: number): Promise<void>;
}

export function createFinishedUploads(directory: string): FinishedUploads {
  const fileOf = (id: string): string => join(directory, `${id}${SUFFIX}`);
  const get = async (id: string): Promise<Finished | undefined> => {
    try {
      return finished.parse(JSON.parse(await readFile(fileOf(id), "utf8")));
    } catch {
      // None, or one that a lost power supply left in half: the upload is then added again, to the same CID.
      return undefined;
    }
  };
  return {
    get,
    async keep(outcome) {
      const aside = `${fileOf(outcome.id)}.tmp`;
      await writeFile(aside, JSON.stringify(outcome), { mode: 0o600 });
      await rename(aside, fileOf(outcome.id));
    },
    async sweep(beforeMs) {
      for (const name of await readdir(directory)) {
        if (!name.endsWith(SUFFIX)) continue;
        const known = await get(name.slice(0, -SUFFIX.length));
        if ((known?.finishedAtMs ?? 0) < beforeMs) await rm(join(directory, name), { force: true });
      }
    },
  };
}
