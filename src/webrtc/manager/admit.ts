import { CidcastError } from "../../core/index.ts";
import type { SessionInit, WebRTCStreamingManager } from "../types.ts";
import { BUSY_RETRY_SECONDS } from "./limits.ts";

/** A place that is taken: by a session, or by one that is being opened. */
type Place = Pick<SessionInit, "owner" | "address">;

export interface AdmitInit {
  readonly taken: readonly Place[];
  readonly limits: WebRTCStreamingManager["limits"];
  readonly onRefused: (limit: "sessions" | "owner" | "address") => void;
}

/** Throws `BUSY` or `LIMIT_REACHED` when there is no place for one more session of this owner and address. */
export function admit({ owner, address }: Place, { taken, limits, onRefused }: AdmitInit): void {
  const { maxSessions, maxSessionsPerOwner, maxSessionsPerAddress } = limits;
  const busy = (message: string): CidcastError =>
    new CidcastError("BUSY", message, { retryAfterSeconds: BUSY_RETRY_SECONDS });
  if (taken.length >= maxSessions) {
    onRefused("sessions");
    throw busy(`all ${maxSessions} places for viewers are taken`);
  }
  if (taken.filter(place => place.owner === owner).length >= maxSessionsPerOwner) {
    onRefused("owner");
    throw new CidcastError(
      "LIMIT_REACHED",
      `one connection holds at most ${maxSessionsPerOwner} sessions: close one`,
    );
  }
  if (maxSessionsPerAddress === 0 || address === undefined) return;
  if (taken.filter(place => place.address === address).length >= maxSessionsPerAddress) {
    onRefused("address");
    throw busy(`your address holds ${maxSessionsPerAddress} sessions already`);
  }
}
