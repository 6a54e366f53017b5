import type { Socket } from "node:dgram";
import { CidcastError } from "../../core/index.ts";
import { createJsEgress, type Egress } from "../rtp/egress/index.ts";

export interface CreateEgressInit {
  readonly socket: Socket;
  readonly kind: "auto" | "js" | "batched";
}

/** The egress that was asked for; `auto` takes the best there is. `FEATURE_DISABLED` for one that is not to be had. */
export async function createEgress(init: CreateEgressInit): Promise<Egress> {
  if (init.kind === "batched") {
    throw new CidcastError(
      "FEATURE_DISABLED",
      "there is no batched egress here: set webrtc.egress to auto or js",
    );
  }
  return createJsEgress({ socket: init.socket });
}
