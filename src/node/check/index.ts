import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { CheckBody, CheckReport } from "@cidcast/protocols/connectivity";
import type { Content } from "../../content/index.ts";
import type { AbortOptions } from "../../core/index.ts";
import type { Peer } from "../../p2p/index.ts";
import type { Shared } from "../shared.ts";
import { checkConnectivity } from "./check.ts";

/** What is asked for once the node is up. */
interface Running {
  readonly url: string | undefined;
  readonly sampleCid: string | undefined;
  readonly peer: Peer | undefined;
  readonly sockets: readonly { readonly path: string }[];
}

/** Looks at how a node is connected, as it is when it is asked. */
export function connectivityOf(
  { config, parts, log }: Shared,
  content: Content,
  running: () => Running,
): (request?: CheckBody & AbortOptions) => Promise<CheckReport> {
  return request => {
    const { url, sampleCid, peer, sockets } = running();
    const certificate = config.tls.selfSigned
      ? readFileSync(join(config.dataDir, "tls", "cert.pem"), "utf8")
      : undefined;
    return checkConnectivity(
      {
        config,
        content,
        peer,
        missing: part => parts.reason(part),
        parts: () => parts.list(),
        url,
        sampleCid,
        sockets: () => sockets,
        certificate,
        log,
      },
      request,
    );
  };
}
