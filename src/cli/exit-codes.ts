import type { ErrorCode } from "@cidcast/protocols/errors";

/** What the program ends with; documented in its help, so scripts may rely on it. */
export const EXIT = {
  ok: 0,
  failure: 1,
  usage: 2,
  notFound: 3,
  unavailable: 4,
  notAllowed: 5,
  warned: 6,
  unknown: 7,
  interrupted: 130,
} as const;

const BY_CODE: Partial<Record<ErrorCode, number>> = {
  INVALID_REQUEST: EXIT.usage,
  INVALID_CID: EXIT.usage,
  INVALID_CONFIG: EXIT.usage,
  NOT_A_FILE: EXIT.usage,
  NOT_A_DIRECTORY: EXIT.usage,
  NOT_FOUND: EXIT.notFound,
  CONTENT_NOT_FOUND: EXIT.notFound,
  PATH_NOT_FOUND: EXIT.notFound,
  PIN_NOT_FOUND: EXIT.notFound,
  SESSION_NOT_FOUND: EXIT.notFound,
  TRACK_NOT_FOUND: EXIT.notFound,
  NODE_UNREACHABLE: EXIT.unavailable,
  PEER_UNREACHABLE: EXIT.unavailable,
  DATA_DIR_LOCKED: EXIT.unavailable,
  ADDRESS_IN_USE: EXIT.unavailable,
  BUSY: EXIT.unavailable,
  LIMIT_REACHED: EXIT.unavailable,
  SHUTTING_DOWN: EXIT.unavailable,
  TIMEOUT: EXIT.unavailable,
  REQUEST_TIMEOUT: EXIT.unavailable,
  FEATURE_DISABLED: EXIT.unavailable,
  UNAUTHENTICATED: EXIT.notAllowed,
  FORBIDDEN: EXIT.notAllowed,
  HOST_NOT_ALLOWED: EXIT.notAllowed,
  ORIGIN_NOT_ALLOWED: EXIT.notAllowed,
  ABORTED: EXIT.interrupted,
};

/** The exit code that goes with an error. */
export function exitCodeOf(code: ErrorCode): number {
  return BY_CODE[code] ?? EXIT.failure;
}

/** Ends the program with a code after everything was said. */
export class ExitWith extends Error {
  override readonly name = "ExitWith";
  readonly exitCode: number;

  constructor(exitCode: number) {
    super(`exit ${exitCode}`);
    this.exitCode = exitCode;
  }
}

/** For the help. */
export const EXIT_HELP = `
Exit codes: 0 done, 1 failed, 2 wrong usage or settings, 3 not found, 4 node or peer unreachable, busy or switched off,
5 not allowed, 6 done with warnings and 7 not all known (check-connectivity), 130 interrupted. Errors are one line on standard error; with --json, one JSON object.`;
