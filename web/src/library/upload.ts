import { type AddResult, ClientError, errorFromResponse, parseAddResult } from "@cidcast/client";
import { RESUMABLE_BYTES } from "./limits.ts";

export interface UploadInit {
  readonly node: string;
  readonly token?: string | undefined;
  readonly file: File;
  /** Bytes sent so far. */
  readonly onProgress: (sentBytes: number) => void;
  /** The connection is gone, and will be tried again. */
  readonly onWait?: () => void;
  readonly signal: AbortSignal;
}

/** Sends a file: a large one so that it can go on after an interruption. */
export async function upload(init: UploadInit): Promise<AddResult> {
  if (init.file.size < RESUMABLE_BYTES) return uploadAtOnce(init);
  const { uploadResumable } = await import("./resumable.ts");
  return uploadResumable(init);
}

/** Sends a file as it is to `POST /api/v0/add`. By XMLHttpRequest, because `fetch` reports no progress. */
function uploadAtOnce({ node, token, file, onProgress, signal }: UploadInit): Promise<AddResult> {
  const { promise, resolve, reject } = Promise.withResolvers<AddResult>();
  const request = new XMLHttpRequest();
  const target = new URL("/api/v0/add", node);
  target.searchParams.set("name", file.name);
  request.open("POST", target);
  if (token !== undefined) request.setRequestHeader("authorization", `Bearer ${token}`);
  request.setRequestHeader("content-type", file.type || "application/octet-stream");
  request.upload.addEventListener("progress", event => onProgress(event.loaded));
  request.addEventListener("load", () => {
    try {
      if (request.status >= 400) throw errorFromResponse(request.status, request.responseText);
      resolve(parseAddResult(request.responseText));
    } catch (error) {
      reject(error);
    }
  });
  request.addEventListener("error", () =>
    reject(new ClientError("NODE_UNREACHABLE", "The connection to the node broke off")),
  );
  request.addEventListener("abort", () => reject(new ClientError("ABORTED", "The upload was cancelled")));
  signal.addEventListener("abort", () => request.abort(), { once: true });
  request.send(file);
  return promise;
}
