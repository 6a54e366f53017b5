import type { Socket } from "node:dgram";
import { messageOf } from "../../core/index.ts";
import {
  createBatchedEgress,
  createJsEgress,
  type Egress,
  loadNative,
  type NativeCalls,
} from "../rtp/egress/index.ts";

export interface CreateEgressInit {
  readonly socket: Socket;
  readonly kind: "auto" | "js" | "batched";
  /** Batched egress had to give up while it ran, and goes on in plain JavaScript. */
  readonly onFallback: (reason: string) => void;
  /** Where native functions come from; default: this program and koffi. */
  readonly load?: () => Promise<NativeCalls>;
}

/**
 * The egress that was asked for; `auto` takes batched where it can be had, and else plain JavaScript with the `reason`.
 * `FEATURE_DISABLED` for `batched` where it is not to be had.
 */
export async function createEgress(
  init: CreateEgressInit,
): Promise<{ readonly egress: Egress; readonly reason: string | undefined }> {
  const { socket, kind, onFallback, load = loadNative } = init;
  if (kind === "js") return { egress: createJsEgress({ socket }), reason: undefined };
  try {
    const calls = await load();
    return { egress: createBatchedEgress({ socket, calls, onFallback }), reason: undefined };
  } catch (error) {
    if (kind === "batched") throw error;
    return { egress: createJsEgress({ socket }), reason: messageOf(error) };
  }
}
