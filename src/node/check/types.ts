import type { Finding } from "@cidcast/protocols/connectivity";
import type { Config } from "../../config/index.ts";
import type { Content } from "../../content/index.ts";
import type { Logger } from "../../core/index.ts";
import type { Peer } from "../../p2p/index.ts";
import type { Asked } from "./request.ts";

/** What a check of a node looks at. */
export interface CheckParts {
  readonly config: Config;
  readonly content: Content;
  readonly peer: Peer | undefined;
  /** Why there is no peer, or no WebRTC. */
  readonly missing: (part: string) => string | undefined;
  readonly parts: () => readonly {
    readonly name: string;
    readonly state: string;
    readonly reason?: string | undefined;
    readonly required: boolean;
  }[];
  readonly url: string | undefined;
  readonly sampleCid: string | undefined;
  readonly sockets: () => readonly { readonly path: string }[];
  /** Certificate of the node's own making, PEM. */
  readonly certificate: string | undefined;
  readonly log: Logger;
}

/** How a check ended; what it took is measured around it. */
export type Outcome = Omit<Finding, "code" | "durationMs" | "subject">;

/** What checks share. */
export interface CheckContext {
  readonly parts: CheckParts;
  /** The doors that are looked at: those of the other node where one is named, else the node's own. */
  readonly target: Asked | undefined;
  /** True when the target is another node. */
  readonly isOther: boolean;
  /** A multiaddr to check against. */
  readonly multiaddr: string | undefined;
  readonly all: boolean;
  readonly signal: AbortSignal;
}

export interface Check {
  readonly code: string;
  readonly subject?: string;
  readonly run: (context: CheckContext) => Promise<Outcome>;
}

export const ok = (meaning: string): Outcome => ({ status: "ok", meaning });
export const warn = (meaning: string, action: string): Outcome => ({ status: "warn", meaning, action });
export const fail = (meaning: string, action: string): Outcome => ({ status: "fail", meaning, action });
export const skipped = (meaning: string, action?: string): Outcome => ({
  status: "skipped",
  meaning,
  ...(action !== undefined && { action }),
});
export const unknown = (meaning: string, action: string): Outcome => ({ status: "unknown", meaning, action });
