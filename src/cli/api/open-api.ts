import { readFileSync } from "node:fs";
import { type Config, loadConfig } from "../../config/index.ts";
import { CidcastError, isCidcastError, silentLogger } from "../../core/index.ts";
// Not by the index: databases are not this verb's business, and take longer to load than all the rest.
import { findRunningNode } from "../../store/data-dir.ts";
import type { CliEnvironment } from "../environment.ts";
import { createHttpApi } from "./http-api.ts";
import { createHttpClient } from "./http-client.ts";
import type { NodeApi } from "./node-api.ts";

/** Options of every command that talks to a node. */
export interface ApiOptions {
  /** Address of a node; stronger than the data directory. */
  readonly api?: string;
  readonly dataDir?: string;
  readonly token?: string;
  readonly config?: string;
}

/** The node to talk to: the address given, else the one that runs on the data directory, else the directory itself. */
export async function openApi(environment: CliEnvironment, options: ApiOptions): Promise<NodeApi> {
  const running = await findApi(environment, options);
  if (running !== undefined) return running;
  const config = configOf(environment, options);
  const embedded = { ...config, sample: false };
  const { createEmbeddedApi } = await import("./embedded-api.ts");
  return createEmbeddedApi(await environment.openNode(embedded, { serve: false, log: silentLogger }));
}

/** A node that runs; `NODE_UNREACHABLE` when none does. */
export async function requireRunning(environment: CliEnvironment, options: ApiOptions): Promise<NodeApi> {
  const running = await findApi(environment, options);
  if (running !== undefined) return running;
  const { dataDir } = configOf(environment, options);
  throw new CidcastError("NODE_UNREACHABLE", `No node runs on ${dataDir}: start one with \`cidcast start\``);
}

/** Settings as this command sees them. */
export function configOf({ env, cwd }: CliEnvironment, options: ApiOptions): Config {
  const { dataDir, token, config } = options;
  return loadConfig({ env, cwd, file: config, flags: { dataDir, token } });
}

/** The node at the address given, else the one that runs on the data directory; undefined when none does. */
export async function findApi(
  environment: CliEnvironment,
  options: ApiOptions,
): Promise<NodeApi | undefined> {
  const config = configOf(environment, options);
  const address = options.api ?? environment.env["CIDCAST_API"];
  if (address !== undefined && address !== "") {
    return createHttpApi(createHttpClient({ url: address, token: config.token }));
  }
  const found = findRunningNode(config.dataDir);
  if (found === undefined) return undefined;
  const ca = found.certificate === undefined ? undefined : readIfThere(found.certificate);
  const api = { ...createHttpApi(createHttpClient({ url: found.url, token: config.token, ca })), ca };
  try {
    await api.version({ signal: environment.signal });
    return api;
  } catch (error) {
    // A node that was killed leaves its address behind.
    if (isCidcastError(error, "NODE_UNREACHABLE")) return undefined;
    throw error;
  }
}

function readIfThere(file: string): Buffer | undefined {
  try {
    return readFileSync(file);
  } catch {
    // The node that left its address behind has taken its certificate away.
    return undefined;
  }
}
