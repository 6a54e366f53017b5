import { type ErrorCode, errorInfo } from "@cidcast/protocols/errors";

/** What a {@link CidcastError} may carry beside its code and message. */
export interface ErrorInit {
  /** The error that led to this one. */
  readonly cause?: unknown;
  /** Machine-readable facts about the case. Never secrets: they cross the wire. */
  readonly details?: Readonly<Record<string, unknown>>;
  /** Seconds after which trying again makes sense. */
  readonly retryAfterSeconds?: number;
}

/** An error with a stable code: branch on `code`, never on the message. */
export class CidcastError extends Error {
  override readonly name = "CidcastError";
  readonly code: ErrorCode;
  readonly details: Readonly<Record<string, unknown>> | undefined;
  readonly retryAfterSeconds: number | undefined;

  constructor(code: ErrorCode, message: string, init: ErrorInit = {}) {
    super(message, init.cause === undefined ? undefined : { cause: init.cause });
    this.code = code;
    this.details = init.details;
    this.retryAfterSeconds = init.retryAfterSeconds;
  }

  /** HTTP status that goes with the code. */
  get status(): number {
    return errorInfo(this.code).status;
  }
}

/** True when `error` is a {@link CidcastError}, of that code where one is given. */
export function isCidcastError(error: unknown, code?: ErrorCode): error is CidcastError {
  return error instanceof CidcastError && (code === undefined || error.code === code);
}

/** True for the error that an aborted signal leaves behind. */
export function isAbortError(error: unknown): boolean {
  return error instanceof Error && (error.name === "AbortError" || isCidcastError(error, "ABORTED"));
}

/** The message of anything that was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Makes anything that was thrown one of ours; what is not known becomes `INTERNAL`. */
export function toCidcastError(error: unknown): CidcastError {
  if (error instanceof CidcastError) return error;
  if (isAbortError(error)) return new CidcastError("ABORTED", "The operation was aborted", { cause: error });
  if (error instanceof Error && error.name === "TimeoutError") {
    return new CidcastError("TIMEOUT", error.message, { cause: error });
  }
  return new CidcastError("INTERNAL", messageOf(error), { cause: error });
}
