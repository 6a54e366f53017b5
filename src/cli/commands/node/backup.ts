import { resolve } from "node:path";
import type { Command } from "commander";
import { loadConfig } from "../../../config/index.ts";
import { CidcastError, silentLogger } from "../../../core/index.ts";
import { findApi } from "../../api/open-api.ts";
import { adminClient } from "../../api/admin-client.ts";
import { type CommonOptions, nodeCommand } from "../../command.ts";
import type { CliEnvironment } from "../../environment.ts";
import { createOutput } from "../../output/output.ts";
import { saveStream } from "../../output/save.ts";
import { sourceOf } from "../content/sources.ts";

interface BackupFlags extends CommonOptions {
  readonly blocks?: boolean;
}

/** `cidcast backup <file>`: of a running node with the admin key of its data directory, else of the directory itself. */
export function backupCommand(environment: CliEnvironment): Command {
  return nodeCommand(
    "backup",
    "write database, keys and files of tenants to a tar file, also while the node runs",
  )
    .argument("<file>", "the tar file; it holds the keys: keep it where nobody else reads it")
    .option("--blocks", "also every block that is pinned")
    .action(async (path: string, flags: BackupFlags) => {
      const { cwd, env, signal } = environment;
      const output = createOutput(environment, flags.json === true);
      const { dataDir, token, config: file } = flags;
      const config = loadConfig({ env, cwd, file, flags: { dataDir, token } });
      const target = resolve(cwd, path);
      let bytes = 0;
      const save = (source: AsyncIterable<Uint8Array>): Promise<void> =>
        saveStream(source, target, {
          onBytes: more => {
            bytes += more;
          },
          mode: 0o600,
        });
      const blocks = flags.blocks === true;
      await using running = await findApi(environment, flags);
      if (running !== undefined) {
        const admin = await adminClient(config, "A backup", running.ca);
        const call = { method: "POST", query: { blocks: String(blocks) }, signal } as const;
        await save(admin.bytes("/api/admin/backup", call));
      } else {
        const options = { serve: false, mcp: false, log: silentLogger };
        await using node = await environment.openNode({ ...config, sample: false }, options);
        await save(node.backup({ blocks, signal }));
      }
      output.result({ event: "backup", file: target, bytes, blocks }, `${target}  ${bytes} bytes`);
    });
}

/** `cidcast restore <file>`: to a data directory that is new. */
export function restoreCommand(environment: CliEnvironment): Command {
  return nodeCommand("restore", "make a data directory of a backup; one that is not empty is left alone")
    .argument("<file>", "a file that `cidcast backup` wrote; - for standard input")
    .action(async (path: string, flags: CommonOptions) => {
      const { cwd, env, signal } = environment;
      const output = createOutput(environment, flags.json === true);
      const { dataDir: given, config: file } = flags;
      const { dataDir } = loadConfig({ env, cwd, file, flags: { dataDir: given } });
      // Loaded here: no other command needs it.
      const { restoreBackup } = await import("../../../node/backup/index.ts");
      const source = bytesOf(path, environment);
      const { manifest, files, blocks } = await restoreBackup({ source, dataDir, signal });
      if (manifest.database === "postgres") {
        output.note("the database was PostgreSQL's and is not in this backup: restore it with its own tools");
      }
      if (!manifest.blocks)
        output.note("no blocks in this backup: content is fetched from peers, where they have it");
      const told = { event: "restored", dataDir, files, blocks, created_at: manifest.created_at };
      output.result(told, `${dataDir}  ${files} files, ${blocks} blocks, as of ${manifest.created_at}`);
    });
}

/** Opens the file when it is read, so that it fails there. */
async function* bytesOf(path: string, environment: CliEnvironment): AsyncGenerator<Uint8Array> {
  const source = await sourceOf(path, environment);
  if (source.kind === "directory") throw new CidcastError("INVALID_REQUEST", `${path} is a directory`);
  yield* source.open();
}
