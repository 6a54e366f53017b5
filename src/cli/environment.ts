import type { Readable, Writable } from "node:stream";
import type { Config } from "../config/index.ts";
import type { CidcastNode, NodeOptions } from "../node.ts";

/** What the program gets from the process that runs it. */
export interface CliEnvironment {
  readonly stdin: Readable;
  readonly stdout: Writable & { readonly isTTY?: boolean };
  readonly stderr: NodeJS.WritableStream & { readonly isTTY?: boolean; readonly columns?: number };
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  readonly version: string;
  /** Aborts at Ctrl-C or when the process is asked to end. */
  readonly signal: AbortSignal;
  /** Calls `listener` whenever the process is asked to read its settings again; returns what ends that. */
  readonly onReload: (listener: () => void) => () => void;
  /** Opens a data directory: `serve: false` for one command, else a node that listens. */
  readonly openNode: (config: Config, options: NodeOptions) => Promise<CidcastNode>;
  /** Opens an address in the user's browser. */
  readonly openBrowser: (url: string) => Promise<void>;
}
