import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Config } from "../../config/index.ts";
import { CidcastError } from "../../core/index.ts";
import { findRunningNode } from "../../store/data-dir.ts";
import { createHttpClient, type HttpCall, type HttpClient } from "./http-client.ts";

/** Talks to the admin API of the node that runs on this data directory, with the key that lies there. */
export async function adminClient(
  config: Pick<Config, "dataDir" | "token">,
  what: string,
  ca?: Buffer,
): Promise<HttpClient> {
  const { dataDir, token } = config;
  const found = findRunningNode(dataDir);
  if (found === undefined) {
    throw new CidcastError(
      "INVALID_REQUEST",
      `${what} needs the admin key in the node's data directory: ${dataDir} is not that of a running node`,
    );
  }
  const key = (await readFile(join(dataDir, "admin-key"), "utf8")).trim();
  const client = createHttpClient({ url: found.url, token, ca });
  const asAdmin = (call: HttpCall = {}): HttpCall => ({
    ...call,
    headers: { ...call.headers, "x-admin-key": key },
  });
  return {
    url: client.url,
    json: (schema, path, call) => client.json(schema, path, asAdmin(call)),
    bytes: (path, call) => client.bytes(path, asAdmin(call)),
  };
}
