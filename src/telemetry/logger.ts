import { type DestinationStream, type Logger as Pino, pino } from "pino";
import { type PrettyStream, build } from "pino-pretty";
import type { LogFields, Logger } from "../core/index.ts";

/** From the most that is written to the least. */
const LEVELS = ["trace", "debug", "info", "warn", "error"] as const;
export type LogLevel = (typeof LEVELS)[number];

/** A logger whose level, and that of all its children, can be changed. */
export interface LevelledLogger extends Logger {
  setLevel(level: LogLevel): void;
}

export interface LoggerInit {
  readonly level: LogLevel;
  /** Lines for people instead of JSON. */
  readonly pretty: boolean;
  /** Where lines go; default standard error, so that a command's own output stays clean. */
  readonly destination?: DestinationStream | NodeJS.WritableStream;
}

/** Fields whose values never reach a log, at the top of an entry or one level down. */
export const SECRET_FIELDS: readonly string[] = [
  "token",
  "authorization",
  "cookie",
  "password",
  "secret",
  "credential",
  "apiKey",
  "adminKey",
  "privateKey",
  "key",
];

/** What stands in a log where a secret would. */
const REDACTED = "[secret]";

/** File descriptor of standard error. */
const STDERR = 2;

/** The node's logger. Secret fields and `token=` in addresses are taken out, whatever a caller hands in. */
export function createLogger(init: LoggerInit): LevelledLogger {
  let least = LEVELS.indexOf(init.level);
  const destination = init.destination ?? pino.destination({ fd: STDERR, sync: true });
  const stream = init.pretty ? prettyStream(destination) : destination;
  const enabled = (level: LogLevel): boolean => LEVELS.indexOf(level) >= least;
  const logger = wrap(
    pino(
      {
        // Children keep the level they were made with: what is written is decided here, for all of them.
        level: "trace",
        base: undefined,
        timestamp: pino.stdTimeFunctions.isoTime,
        formatters: { level: label => ({ level: label }), log: scrubFields },
        redact: {
          paths: SECRET_FIELDS.flatMap(field => [field, `*.${field}`, `*.*.${field}`]),
          censor: REDACTED,
        },
        serializers: { err: serialiseError },
        hooks: { logMethod: scrubMessage },
      },
      stream,
    ),
    enabled,
  );
  return {
    ...logger,
    setLevel(level) {
      least = LEVELS.indexOf(level);
    },
  };
}

function prettyStream(destination: DestinationStream | NodeJS.WritableStream): PrettyStream {
  return build({
    destination,
    colorize: "isTTY" in destination && destination.isTTY === true,
    translateTime: "HH:MM:ss.l",
    sync: true,
  });
}

function scrubMessage(this: Pino, args: Parameters<Pino["info"]>, method: Pino["info"]): void {
  for (const [index, arg] of args.entries()) {
    if (typeof arg === "string") args[index] = scrub(arg);
  }
  method.apply(this, args);
}

function scrubFields(fields: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(fields).map(([name, value]) => [name, typeof value === "string" ? scrub(value) : value]),
  );
}

/** Takes the values of `token=`, `key=` and bearer credentials out of text. */
function scrub(text: string): string {
  return text
    .replaceAll(/([?&](?:token|key|api_key|access_token)=)[^&\s"']+/gi, `$1${REDACTED}`)
    .replaceAll(/(bearer\s+)[\w.~+/=-]+/gi, `$1${REDACTED}`);
}

function serialiseError(error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  const plain = pino.stdSerializers.err(error);
  return { ...plain, message: scrub(plain.message), stack: scrub(plain.stack) };
}

function wrap(target: Pino, enabled: (level: LogLevel) => boolean): Logger {
  const write =
    (level: LogLevel) =>
    (fields: LogFields, message: string): void => {
      if (enabled(level)) target[level](fields, message);
    };
  return {
    trace: write("trace"),
    debug: write("debug"),
    info: write("info"),
    warn: write("warn"),
    error: write("error"),
    child: (fields: LogFields) => wrap(target.child(fields), enabled),
  };
}
