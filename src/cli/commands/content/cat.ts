import { type Command, InvalidArgumentError } from "commander";
import { type CommonOptions, nodeCommand, withNode } from "../../command.ts";
import type { CliEnvironment } from "../../environment.ts";
import { writeBytes } from "../../output/output.ts";

interface CatFlags extends CommonOptions {
  readonly offset?: number;
  readonly length?: number;
}

/** `cidcast cat`. */
export function catCommand(environment: CliEnvironment): Command {
  return nodeCommand("cat", "write a file's bytes to standard output")
    .argument("<ref>", "CID, or CID and path")
    .option("--offset <bytes>", "first byte", byteCount)
    .option("--length <bytes>", "number of bytes", byteCount)
    .action(async (ref: string, flags: CatFlags) =>
      withNode(environment, flags, async ({ api, signal }) => {
        const { offset = 0, length } = flags;
        if (length === 0) return;
        const range = {
          ...(offset > 0 && { start: offset }),
          ...(length !== undefined && { end: offset + length }),
        };
        for await (const chunk of api.cat(ref, { signal, ...range })) {
          if (!(await writeBytes(environment.stdout, chunk))) return;
        }
      }),
    );
}

function byteCount(text: string): number {
  const value = Number(text);
  if (/^\d+$/.test(text) && Number.isSafeInteger(value)) return value;
  throw new InvalidArgumentError("It is a number of bytes.");
}
