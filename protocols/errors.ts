/** Every error code that crosses a wire, with its HTTP status and what it means. Codes are never renamed or reused. */
export const ERRORS = {
  INVALID_REQUEST: { status: 400, meaning: "The request does not fit its schema." },
  INVALID_CID: { status: 400, meaning: "The text is not a CID." },
  INVALID_SDP: { status: 400, meaning: "The session description cannot be used." },
  INVALID_CAR: { status: 400, meaning: "The bytes are not a CAR file, or it is torn." },
  INVALID_CONFIG: { status: 400, meaning: "A setting has a value that it cannot have." },
  UNAUTHENTICATED: { status: 401, meaning: "A token is needed and none, or no valid one, was given." },
  FORBIDDEN: { status: 403, meaning: "The caller may not do this." },
  HOST_NOT_ALLOWED: { status: 421, meaning: "The Host header names a host this node does not serve." },
  ORIGIN_NOT_ALLOWED: {
    status: 403,
    meaning: "The request comes from a web page of an origin that is not allowed.",
  },
  NOT_FOUND: { status: 404, meaning: "There is nothing at this address." },
  METHOD_NOT_ALLOWED: { status: 405, meaning: "The address does not take this method." },
  CONTENT_NOT_FOUND: { status: 404, meaning: "Neither this node nor a connected peer has the content." },
  CONTENT_BLOCKED: { status: 410, meaning: "The content is on a denylist of this node." },
  PATH_NOT_FOUND: { status: 404, meaning: "The directory has no entry of that name." },
  SESSION_NOT_FOUND: {
    status: 404,
    meaning: "There is no session of that id, or it belongs to somebody else.",
  },
  JOB_NOT_FOUND: { status: 404, meaning: "There is no job of that id." },
  UPLOAD_NOT_FOUND: {
    status: 404,
    meaning: "There is no upload of that id, it has expired, or it belongs to somebody else.",
  },
  TRACK_NOT_FOUND: { status: 404, meaning: "The content has no such track." },
  PIN_NOT_FOUND: { status: 404, meaning: "The content is not pinned under that name." },
  NOT_A_FILE: { status: 400, meaning: "The CID is a directory where a file is needed." },
  NOT_A_DIRECTORY: { status: 400, meaning: "The CID is a file where a directory is needed." },
  RANGE_NOT_SATISFIABLE: { status: 416, meaning: "The range begins after the end of the content." },
  CONFLICT: { status: 409, meaning: "The state does not allow this now." },
  CONTENT_IN_USE: { status: 409, meaning: "The content is pinned, playing or being transferred." },
  REQUEST_TIMEOUT: { status: 408, meaning: "The caller sends its request too slowly." },
  PAYLOAD_TOO_LARGE: { status: 413, meaning: "The message or upload is larger than the limit." },
  URL_TOO_LONG: { status: 414, meaning: "The address is longer than the limit." },
  HEADERS_TOO_LARGE: { status: 431, meaning: "The header fields are larger than the limit." },
  UNSUPPORTED_MEDIA: { status: 415, meaning: "The content holds nothing this node can play." },
  UNSUPPORTED_CONTENT_TYPE: { status: 415, meaning: "The body has a type that this address does not take." },
  PRECONDITION_REQUIRED: { status: 428, meaning: "A header has to name the state that the request is for." },
  PRECONDITION_FAILED: { status: 412, meaning: "The request is for another state than the present one." },
  UNSUPPORTED_DAG: { status: 415, meaning: "The DAG uses a codec or hash this node does not read." },
  CORRUPT_BLOCK: { status: 502, meaning: "A block's bytes do not match its CID." },
  CORRUPT_DAG: { status: 502, meaning: "A node of the DAG contradicts its links." },
  SIGNATURE_REFUSED: {
    status: 403,
    meaning: "A signature is wrong, missing, or of somebody who is not trusted.",
  },
  CORRUPT_MEDIA: { status: 422, meaning: "The media file is damaged here." },
  ENCODER_MISSING: { status: 503, meaning: "The content needs transcoding and no encoder is installed." },
  TRANSCODE_FAILED: { status: 500, meaning: "The encoder stopped with an error." },
  BUSY: { status: 503, meaning: "The node is at a limit; try again later." },
  LIMIT_REACHED: { status: 429, meaning: "A limit of this caller or connection is reached." },
  FEATURE_DISABLED: { status: 503, meaning: "This part of the node is switched off or could not start." },
  TIMEOUT: { status: 504, meaning: "The operation took longer than its budget." },
  ABORTED: { status: 499, meaning: "The caller ended the operation." },
  STORAGE_FULL: { status: 507, meaning: "The disk has no room for this." },
  STORAGE_FAILED: { status: 500, meaning: "The disk or database answered with an error." },
  DATA_DIR_LOCKED: { status: 409, meaning: "Another process uses the data directory." },
  NODE_UNREACHABLE: { status: 502, meaning: "No node answers at that address." },
  PEER_UNREACHABLE: { status: 502, meaning: "The peer cannot be dialled." },
  PROTOCOL_UNSUPPORTED: { status: 502, meaning: "The peer does not speak the protocol." },
  ADDRESS_IN_USE: { status: 409, meaning: "Another program listens on that port." },
  SHUTTING_DOWN: { status: 503, meaning: "The node is stopping." },
  INTERNAL: { status: 500, meaning: "Something failed that should not have; the log has the cause." },
} as const satisfies Record<string, ErrorInfo>;

/** Facts that go with a code. */
export interface ErrorInfo {
  /** HTTP status. */
  readonly status: number;
  /** One sentence for people. */
  readonly meaning: string;
}

/** A stable error code. */
export type ErrorCode = keyof typeof ERRORS;

/** Facts that go with `code`. */
export function errorInfo(code: ErrorCode): ErrorInfo {
  return ERRORS[code];
}

/** True when `text` is a code of ours. */
export function isErrorCode(text: unknown): text is ErrorCode {
  return typeof text === "string" && Object.hasOwn(ERRORS, text);
}

/** The JSON body of every HTTP error. */
export interface ErrorBody {
  readonly error: {
    readonly code: ErrorCode;
    readonly message: string;
    readonly details?: Readonly<Record<string, unknown>>;
    readonly retryAfterSeconds?: number;
  };
}
