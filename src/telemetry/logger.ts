import { type DestinationStream, type Logger as Pino, pino } from "pino";
import { type PrettyStream, build } from "pino-pretty";
import type { LogFields, Logger } from "../core/index.ts";

export type LogLevel = "trace" | "debug" | "info" | "warn" | "error";

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
export function createLogger(init: LoggerInit): Logger {
  const destination = init.destination ?? pino.destination({ fd: STDERR, sync: true });
  const stream = init.pretty ? prettyStream(destination) : destination;
  return wrap(
    pino(
      {
        level: init.level,
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
  );
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

function wrap(target: Pino): Logger {
  return {
    trace: (fields: LogFields, message: string) => target.trace(fields, message),
    debug: (fields: LogFields, message: string) => target.debug(fields, message),
    info: (fields: LogFields, message: string) => target.info(fields, message),
    warn: (fields: LogFields, message: string) => target.warn(fields, message),
    error: (fields: LogFields, message: string) => target.error(fields, message),
    child: (fields: LogFields) => wrap(target.child(fields)),
  };
}
