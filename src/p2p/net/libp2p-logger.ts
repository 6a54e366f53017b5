import type { ComponentLogger, Logger as Libp2pLogger } from "@libp2p/interface";
import type { Logger } from "../../core/index.ts";

/** libp2p's own log: its errors are our `debug`, for a peer that hangs up is no error of ours; the rest is dropped. */
export function libp2pLogger(log: Logger): ComponentLogger {
  const forComponent = (name: string): Libp2pLogger =>
    Object.assign(() => undefined, {
      enabled: false,
      trace: () => undefined,
      error: (format: unknown, ...args: unknown[]) => {
        log.debug({ component: name, args: args.map(describe) }, String(format));
      },
      newScope: (scope: string) => forComponent(`${name}:${scope}`),
    });
  return { forComponent };
}

function describe(value: unknown): string {
  return value instanceof Error ? `${value.name}: ${value.message}` : String(value);
}
