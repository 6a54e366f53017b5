import type { ErrorCode } from "@cidcast/protocols/errors";
import { CidcastError, isCidcastError } from "../../core/index.ts";
import { errorBodyOf } from "../routing/errors.ts";

/** Codes for the statuses of the protocol's own errors. */
const CODES: Readonly<Record<number, ErrorCode>> = {
  400: "INVALID_REQUEST",
  403: "INVALID_REQUEST",
  404: "UPLOAD_NOT_FOUND",
  409: "CONFLICT",
  410: "UPLOAD_NOT_FOUND",
  413: "PAYLOAD_TOO_LARGE",
  415: "UNSUPPORTED_CONTENT_TYPE",
  423: "BUSY",
};

/** An error of the protocol's server, in the words of this API; statuses stay those of the protocol. */
export function toTusError(error: unknown): { readonly status_code: number; readonly body: string } {
  if (isCidcastError(error)) {
    return { status_code: error.status, body: JSON.stringify(errorBodyOf(error)) };
  }
  const { status_code, body } = error as { readonly status_code?: number; readonly body?: string };
  const code = CODES[status_code ?? 500] ?? "INTERNAL";
  const told = new CidcastError(code, (body ?? "").trim() || "The upload failed");
  return { status_code: status_code ?? told.status, body: JSON.stringify(errorBodyOf(told)) };
}
