import { type AddResult, ClientError, errorFromResponse, toClientError } from "@cidcast/client";
import { uploadResult } from "@cidcast/protocols/node-api";
import { defaultOptions, DetailedError, Upload } from "tus-js-client";
import type { UploadInit } from "./upload.ts";

/** Waits between attempts after the connection broke off, ms: a node that is started anew is found again. */
const RETRY_DELAYS_MS = [0, 1_000, 2_000, 4_000, 8_000, 15_000, 30_000];

/** An upload that an earlier visit left in the middle. */
export interface Unfinished {
  readonly name: string;
  readonly size: number;
  /** Bytes that the node has. */
  readonly offset: number;
  /** What became of it, when all of it had been sent. */
  readonly added: AddResult | undefined;
  /** Ends it, and forgets it. */
  readonly forget: () => Promise<void>;
}

/** Sends a file so that it goes on where it was: after a lost connection, a restart of the node, or a reload of the page. */
export async function uploadResumable(init: UploadInit): Promise<AddResult> {
  const { file, signal, onProgress, onWait } = init;
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const upload = new Upload(file, {
    endpoint: new URL("/api/v0/uploads", init.node).href,
    metadata: { filename: file.name, ...(file.type !== "" && { filetype: file.type }) },
    headers: authorisation(init.token),
    retryDelays: RETRY_DELAYS_MS,
    removeFingerprintOnSuccess: true,
    onProgress: sent => onProgress(sent),
    onShouldRetry: error => {
      const { originalResponse } = error;
      const status = originalResponse?.getStatus() ?? 0;
      const again = status === 0 || status === 409 || status === 423 || status >= 500;
      if (again) onWait?.();
      return again && status !== 507;
    },
    onSuccess: () => resolve(),
    onError: error => reject(toUploadError(error)),
  });
  const cancel = (): void => {
    // A request of its own ends it at the node: what was sent is of no use to anybody.
    upload.abort(true).catch(() => undefined);
    reject(new ClientError("ABORTED", "The upload was cancelled"));
  };
  signal.addEventListener("abort", cancel, { once: true });
  const [before] = await upload.findPreviousUploads();
  if (before !== undefined) upload.resumeFromPreviousUpload(before);
  if (!signal.aborted) upload.start();
  await promise;
  return outcome(upload.url ?? "", init);
}

/** Uploads that this browser knows of and that are not finished. */
export async function unfinishedUploads(token: string | undefined): Promise<readonly Unfinished[]> {
  const { urlStorage } = defaultOptions;
  const found: Unfinished[] = [];
  for (const { uploadUrl, urlStorageKey, metadata, size } of await urlStorage.findAllUploads()) {
    const clear = (): Promise<void> => urlStorage.removeUpload(urlStorageKey);
    // Storage is the page's, and so may hold what another node at this address has left.
    if (uploadUrl === null || new URL(uploadUrl).origin !== location.origin) continue;
    const answer = await fetch(uploadUrl, { headers: authorisation(token) });
    if (answer.status === 404) await clear();
    if (!answer.ok) continue;
    const { offset, added } = uploadResult.parse(await answer.json());
    if (added !== undefined) await clear();
    found.push({
      name: metadata["filename"] ?? "",
      size: size ?? 0,
      offset,
      added,
      forget: async () => {
        await clear();
        await Upload.terminate(uploadUrl, { headers: authorisation(token) });
      },
    });
  }
  return found;
}

/** Waits until the node has made content of what was sent. */
async function outcome(url: string, init: UploadInit): Promise<AddResult> {
  for (let attempt = 0; ; attempt++) {
    try {
      const answer = await fetch(url, { headers: authorisation(init.token), signal: init.signal });
      if (!answer.ok) throw errorFromResponse(answer.status, await answer.text());
      const { added } = uploadResult.parse(await answer.json());
      if (added === undefined) throw new ClientError("CONFLICT", "The node has only a part of the file");
      return added;
    } catch (thrown) {
      const error = toClientError(thrown);
      const delayMs = error.code === "NODE_UNREACHABLE" ? RETRY_DELAYS_MS[attempt + 1] : undefined;
      if (delayMs === undefined) throw error;
      await new Promise(resolve => setTimeout(resolve, delayMs));
    }
  }
}

function authorisation(token: string | undefined): Record<string, string> {
  return token === undefined ? {} : { authorization: `Bearer ${token}` };
}

function toUploadError(error: unknown): ClientError {
  const response = error instanceof DetailedError ? error.originalResponse : null;
  return response
    ? errorFromResponse(response.getStatus(), response.getBody())
    : new ClientError("NODE_UNREACHABLE", "The connection to the node broke off");
}
