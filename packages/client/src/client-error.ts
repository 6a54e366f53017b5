import { type ErrorCode, errorInfo, isErrorCode } from "@cidcast/protocols/errors";

/** What went wrong on the way to a node or in it. Branch on `code`. */
export class ClientError extends Error {
  override readonly name = "ClientError";
  readonly code: ErrorCode;
  /** What the node said the code is about, when it did. */
  readonly retryAfterSeconds: number | undefined;

  constructor(code: ErrorCode, message: string, options?: ErrorOptions & { retryAfterSeconds?: number }) {
    super(message, options);
    this.code = code;
    this.retryAfterSeconds = options?.retryAfterSeconds;
  }
}

/** Codes after which the same request may succeed by itself a little later. */
const TRANSIENT: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  "BUSY",
  "LIMIT_REACHED",
  "NODE_UNREACHABLE",
  "PEER_UNREACHABLE",
  "SHUTTING_DOWN",
  "SESSION_NOT_FOUND",
  "TIMEOUT",
]);

/** True when trying again without changing anything makes sense. */
export function isTransient(error: unknown): boolean {
  return error instanceof ClientError && TRANSIENT.has(error.code);
}

/** Any thrown value as an error of ours; a foreign one becomes `fallback`. */
export function toClientError(error: unknown, fallback: ErrorCode = "INTERNAL"): ClientError {
  if (error instanceof ClientError) return error;
  const message = error instanceof Error ? error.message : String(error);
  return new ClientError(fallback, message, { cause: error });
}

/** An error that a node has put on a wire; a code unknown here counts as `INTERNAL`. */
export function errorFromWire(code: unknown, message: string | undefined): ClientError {
  const known: ErrorCode = isErrorCode(code) ? code : "INTERNAL";
  return new ClientError(known, message ?? errorInfo(known).meaning);
}

/** Close codes of a node that refuses the token, now or from now on. */
const REFUSED: Readonly<Record<number, ErrorCode>> = { 4001: "UNAUTHENTICATED", 4003: "FORBIDDEN" };

/** The refusal that a socket was closed with; undefined when it was closed for another reason. */
export function refusalOf(event: {
  readonly code: number;
  readonly reason: string;
}): ClientError | undefined {
  const code = REFUSED[event.code];
  return code === undefined ? undefined : new ClientError(code, event.reason || errorInfo(code).meaning);
}
