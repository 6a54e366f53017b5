import { Writable } from "node:stream";
import type { Logger } from "../../../src/core/index.ts";
import { createLogger } from "../../../src/telemetry/index.ts";

/** The node's own logger at its most talkative, and what it wrote. */
export function captureLog(): { readonly log: Logger; readonly text: () => string } {
  const lines: string[] = [];
  const destination = new Writable({
    write(chunk, _encoding, done) {
      lines.push(String(chunk));
      done();
    },
  });
  return {
    log: createLogger({ level: "trace", pretty: false, destination }),
    text: () => lines.join(""),
  };
}
