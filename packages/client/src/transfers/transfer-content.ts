import {
  type PushBodyResult,
  pushResult,
  type TransferBodyResult,
  transferResult,
} from "@cidcast/protocols/node-api";
import { ClientError, errorFromWire } from "../client-error.ts";
import type { RequestOptions } from "../node-client.ts";

/** A way between two nodes. */
export type TransferVia = "libp2p" | "websocket" | "http";

export interface TransferInit extends RequestOptions {
  /** `push` (default): from the client's node to the target; `pull`: from the target to the client's node. */
  readonly direction?: "push" | "pull";
  /** This way alone; default: libp2p, then a WebSocket, then HTTP, each going on where the last one stopped. */
  readonly via?: TransferVia;
  /** Token of the other node. */
  readonly token?: string;
  /** Of a pull: the name of the pin; `false`: not pinned. */
  readonly pin?: string | false;
  /** Of a pull: hears how far it is. */
  readonly onProgress?: (transfer: TransferBodyResult) => void;
}

/** How a transfer ended: every try that failed, also where another one succeeded. */
export type TransferOutcome =
  | { readonly ok: true; readonly attempts: PushBodyResult["attempts"] }
  | { readonly ok: false; readonly attempts: PushBodyResult["attempts"]; readonly error: ClientError };

/** Sends a request to the node's API and reads its JSON. */
export type ApiCall = (path: string, request: RequestInit, options: RequestOptions) => Promise<unknown>;

/** Pause between two looks at a transfer, ms. */
const LOOK_MS = 250;

/** Brings content between the client's node and another one. Resolves with every cause when no way led there. */
export async function transferContent(
  call: ApiCall,
  cid: string,
  target: string | readonly string[],
  init: TransferInit,
): Promise<TransferOutcome> {
  const others = typeof target === "string" ? [target] : [...target];
  const { via, token, pin, signal } = init;
  const asked = { cid, ...(via !== undefined && { via }), ...(token !== undefined && { token }) };
  const options = signal === undefined ? {} : { signal };
  if (init.direction !== "pull") {
    const { ok, attempts } = pushResult.parse(
      await call("/api/v0/push", post({ ...asked, to: others }), options),
    );
    if (ok) return { ok, attempts };
    return { ok, attempts, error: lastOf(attempts) };
  }
  const body = { ...asked, from: others, ...(pin !== undefined && { pin }) };
  let transfer = transferResult.parse(await call("/api/v0/transfers", post(body), options));
  try {
    for (; transfer.endedAtMs === undefined && transfer.state !== "paused"; ) {
      init.onProgress?.(transfer);
      await pause(LOOK_MS, signal);
      transfer = await look(call, transfer.id, options);
    }
  } catch (error) {
    if (signal?.aborted === true) {
      // It was begun for this caller: nobody waits for it any more.
      await call(`/api/v0/transfers/${encodeURIComponent(transfer.id)}`, { method: "DELETE" }, {}).catch(
        () => undefined,
      );
    }
    throw error;
  }
  init.onProgress?.(transfer);
  const { state, attempts, code, message = state } = transfer;
  if (state === "completed") return { ok: true, attempts };
  return { ok: false, attempts, error: errorFromWire(code, message) };
}

async function look(call: ApiCall, id: string, options: RequestOptions): Promise<TransferBodyResult> {
  return transferResult.parse(await call(`/api/v0/transfers/${encodeURIComponent(id)}`, {}, options));
}

function post(body: unknown): RequestInit {
  return {
    method: "POST",
    body: JSON.stringify(body),
    headers: { "content-type": "application/json" },
  };
}

function lastOf(attempts: PushBodyResult["attempts"]): ClientError {
  const last = attempts.at(-1);
  return errorFromWire(last?.code, last?.message ?? "No way led to the target");
}

async function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, ms);
  signal?.addEventListener("abort", () => resolve(), { once: true });
  await promise;
  clearTimeout(timer);
  if (signal?.aborted === true)
    throw new ClientError("ABORTED", "The transfer was ended", { cause: signal.reason });
}
