import { type Config, configChanges } from "../config/index.ts";
import { CidcastError, type Logger, messageOf } from "../core/index.ts";

/** What a reload did. */
export interface Reloaded {
  /** Settings that are in force now. */
  readonly applied: readonly string[];
  /** Settings that differ and need a restart. */
  readonly restart: readonly string[];
}

/** The settings in force, and the parts that take over changes. */
export class Live {
  readonly #log: Logger;
  readonly #parts: ((config: Config) => void)[] = [];
  #config: Config;

  constructor(config: Config, log: Logger) {
    this.#config = config;
    this.#log = log;
  }

  get config(): Config {
    return this.#config;
  }

  /** `apply` is called with each new configuration; what it throws keeps the old one in force everywhere. */
  follow(apply: (config: Config) => void): void {
    this.#parts.push(apply);
  }

  /** Takes over what can be taken over. `INVALID_CONFIG` when a part cannot work with it: then nothing has changed. */
  reload(next: Config): Reloaded {
    const { reloadable: applied, restart } = configChanges(this.#config, next);
    try {
      for (const apply of this.#parts) apply(next);
    } catch (cause) {
      for (const apply of this.#parts) apply(this.#config);
      if (cause instanceof CidcastError) throw cause;
      throw new CidcastError("INVALID_CONFIG", `The settings cannot be taken over: ${messageOf(cause)}`, {
        cause,
      });
    }
    this.#config = next;
    this.#log.info({ applied, restart }, "settings read again");
    if (restart.length > 0) this.#log.warn({ restart }, "these settings need a restart");
    return { applied, restart };
  }
}
