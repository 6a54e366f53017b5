import { type EventPublisher, toCidcastError } from "../../core/index.ts";
import type { SessionInit, WebRTCEvents } from "../types.ts";
import { MAX_ENDED_REMEMBERED } from "./limits.ts";

/** Of a session, what tells whose reconnection it is. */
interface Known {
  readonly id: string;
  readonly cid: string;
  readonly tenantId?: string | undefined;
}

/** An attempt of a viewer to go on after its connection was lost. */
export interface Reconnection {
  /** The session whose connection was lost. */
  readonly lostId: string;
  failed(error: unknown): void;
}

/** Tells of viewers that come again: by new ICE credentials, or by a new session in the place of a lost one. */
export class Reconnections {
  readonly #events: EventPublisher<WebRTCEvents>;
  /** Those that ended last, oldest first: a viewer names the one it lost. */
  readonly #ended = new Map<string, Known>();

  constructor(events: EventPublisher<WebRTCEvents>) {
    this.#events = events;
  }

  /** A session is over: its viewer may come again. */
  ended({ id, cid, tenantId }: Known): void {
    this.#ended.set(id, { id, cid, tenantId });
    if (this.#ended.size <= MAX_ENDED_REMEMBERED) return;
    const [oldest] = this.#ended.keys();
    if (oldest !== undefined) this.#ended.delete(oldest);
  }

  /** A session is asked for in the place of another; undefined when that is none of this viewer's tenant. */
  replacing(init: SessionInit, live: ReadonlyMap<string, Known>): Reconnection | undefined {
    const { replaces, principal, startSeconds: position_seconds = 0 } = init;
    if (replaces === undefined) return undefined;
    const lost = live.get(replaces.id) ?? this.#ended.get(replaces.id);
    if (lost === undefined || lost.tenantId !== principal.tenantId) return undefined;
    return this.#begin(lost, { attempt: replaces.attempt, how: "new_session", position_seconds });
  }

  /** A connected session restarts ICE. */
  restarting(session: Known, attempt: number): Reconnection {
    return this.#begin(session, { attempt, how: "ice_restart" });
  }

  #begin(
    { id, cid, tenantId }: Known,
    attempt: Pick<WebRTCEvents["webrtc_reconnection_attempt"], "attempt" | "how" | "position_seconds">,
  ): Reconnection {
    const about = { pc_id: id, cid };
    this.#events.publish("webrtc_reconnection_attempt", { ...about, ...attempt }, { tenantId });
    return {
      lostId: id,
      failed: error => {
        const { code, message } = toCidcastError(error);
        const { attempt: number, how } = attempt;
        const data = { ...about, attempt: number, how, code, message };
        this.#events.publish("webrtc_reconnection_failed", data, { tenantId });
      },
    };
  }
}
