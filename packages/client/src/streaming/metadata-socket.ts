import { ClientError, errorFromWire } from "../client-error.ts";
import { type NodeAddress, socketUrl } from "../socket-url.ts";

/** What a node says of a file before its bytes. */
export interface ContentMetadata {
  readonly contentType: string;
  /** Bytes. */
  readonly size: number;
  /** Everything that was said. */
  readonly all: Readonly<Record<string, unknown>>;
}

/** Longest wait for a file's metadata, ms: it may have to be found first. */
const METADATA_TIMEOUT_MS = 30_000;

/** Asks for a file's metadata over a WebSocket (`/ws/stream`), and for none of its bytes. */
export async function readMetadata(
  node: NodeAddress,
  cid: string,
  signal: AbortSignal,
): Promise<ContentMetadata> {
  const socket = new WebSocket(socketUrl(node, "/ws/stream"));
  socket.binaryType = "arraybuffer";
  const { promise, resolve, reject } = Promise.withResolvers<ContentMetadata>();
  const fail = (error: ClientError): void => reject(error);
  const onAbort = (): void => fail(new ClientError("ABORTED", "Asking for metadata was ended"));
  signal.addEventListener("abort", onAbort, { once: true });
  const timer = setTimeout(
    () => fail(new ClientError("TIMEOUT", "The node told no metadata in time")),
    METADATA_TIMEOUT_MS,
  );
  socket.addEventListener("open", () => socket.send(JSON.stringify({ path: cid })));
  socket.addEventListener("error", () =>
    fail(new ClientError("NODE_UNREACHABLE", "The metadata socket failed")),
  );
  socket.addEventListener("close", ({ reason }) =>
    fail(new ClientError("NODE_UNREACHABLE", reason || "The metadata socket was closed")),
  );
  socket.addEventListener("message", ({ data }) => {
    if (typeof data !== "string") return;
    const told = objectOf(data);
    if (told["type"] === "metadata") {
      const { content_type: contentType, content_length: size } = told;
      resolve({
        contentType: typeof contentType === "string" ? contentType : "",
        size: typeof size === "number" ? size : 0,
        all: told,
      });
    } else if (told["type"] === "error") {
      const { code, error } = told;
      fail(errorFromWire(typeof code === "string" ? code : undefined, String(error)));
    }
  });
  try {
    return await promise;
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", onAbort);
    socket.close();
  }
}

function objectOf(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? { ...value } : {};
  } catch {
    return {};
  }
}
