import type { Quotas } from "@cidcast/protocols/tenancy";
import { CidcastError, type Clock, type Metrics } from "../../core/index.ts";
import {
  DEFAULT_EGRESS_BYTES_PER_DAY,
  DEFAULT_JOBS,
  DEFAULT_REQUESTS_PER_MINUTE,
  DEFAULT_STORAGE_BYTES,
  DEFAULT_VIEWERS,
} from "../limits.ts";
import { limitHits } from "../metrics.ts";
import { Buckets } from "./buckets.ts";

const DAY_MS = 24 * 60 * 60 * 1000;

/** What is counted while it lasts. */
export type LeaseKind = "viewers" | "jobs";

/** What a tenant may use. Principals without a tenant have no quotas. */
export interface TenantQuotas {
  /** Counts a request. `LIMIT_REACHED` with the time to wait when there were too many. */
  takeRequest(tenantId: string | undefined): void;
  /** Counts a viewer or a job until it is disposed. `LIMIT_REACHED` when there are too many. */
  lease(tenantId: string | undefined, kind: LeaseKind): Disposable;
  /** Counts bytes sent. `LIMIT_REACHED` when the day's are used up; they are counted all the same. */
  addEgress(tenantId: string | undefined, bytes: number): void;
  /** `LIMIT_REACHED` when so many bytes are more than the day has left. Counts nothing. */
  checkEgress(tenantId: string | undefined, bytes: number): void;
  /** `LIMIT_REACHED` when `usedBytes` and `moreBytes` together are more than the tenant may keep. */
  checkStorage(tenantId: string | undefined, usedBytes: number, moreBytes: number): void;
  /** Bytes the tenant may keep. */
  storageLimit(tenantId: string): number;
}

interface QuotasComponents {
  readonly clock: Clock;
  readonly metrics: Metrics;
  /** Quotas of a tenant as last stored. */
  readonly quotasOf: (tenantId: string) => Quotas;
}

export function createQuotas(components: QuotasComponents): TenantQuotas {
  const { clock, quotasOf } = components;
  const buckets = new Buckets(clock);
  const leases = new Map<string, number>();
  let egress = new Map<string, number>();
  let egressDay = 0;
  const hits = limitHits(components.metrics);
  const refuse = (kind: string, message: string, retryAfterSeconds?: number): never => {
    hits.add(1, { limit: kind });
    throw new CidcastError(
      "LIMIT_REACHED",
      message,
      retryAfterSeconds === undefined ? {} : { retryAfterSeconds },
    );
  };
  const storageLimit = (tenantId: string): number =>
    quotasOf(tenantId).storage_bytes ?? DEFAULT_STORAGE_BYTES;
  const sentToday = (tenantId: string): number => {
    const day = Math.floor(clock.now() / DAY_MS);
    if (day !== egressDay) {
      egressDay = day;
      egress = new Map();
    }
    return egress.get(tenantId) ?? 0;
  };
  const requireEgress = (tenantId: string, used: number): void => {
    const most = quotasOf(tenantId).egress_bytes_per_day ?? DEFAULT_EGRESS_BYTES_PER_DAY;
    if (used <= most) return;
    const untilMidnight = Math.ceil(((egressDay + 1) * DAY_MS - clock.now()) / 1000);
    refuse("egress", `The tenant may be sent ${most} bytes a day`, untilMidnight);
  };
  return {
    takeRequest(tenantId) {
      if (tenantId === undefined) return;
      const perMinute = quotasOf(tenantId).requests_per_minute ?? DEFAULT_REQUESTS_PER_MINUTE;
      const wait = buckets.take(tenantId, { capacity: perMinute, perSecond: perMinute / 60 });
      if (wait > 0) refuse("requests", `The tenant may make ${perMinute} requests a minute`, wait);
    },
    lease(tenantId, kind) {
      if (tenantId === undefined) return { [Symbol.dispose]() {} };
      const defaults = { viewers: DEFAULT_VIEWERS, jobs: DEFAULT_JOBS };
      const most = quotasOf(tenantId)[kind] ?? defaults[kind];
      const key = `${kind} ${tenantId}`;
      const held = leases.get(key) ?? 0;
      if (held >= most) refuse(kind, `The tenant may have ${most} ${kind} at a time`);
      leases.set(key, held + 1);
      let released = false;
      return {
        [Symbol.dispose]() {
          if (released) return;
          released = true;
          const left = (leases.get(key) ?? 1) - 1;
          if (left === 0) leases.delete(key);
          else leases.set(key, left);
        },
      };
    },
    addEgress(tenantId, bytes) {
      if (tenantId === undefined) return;
      const used = sentToday(tenantId) + bytes;
      egress.set(tenantId, used);
      requireEgress(tenantId, used);
    },
    checkEgress(tenantId, bytes) {
      if (tenantId !== undefined) requireEgress(tenantId, sentToday(tenantId) + bytes);
    },
    checkStorage(tenantId, usedBytes, moreBytes) {
      if (tenantId === undefined) return;
      const most = storageLimit(tenantId);
      if (usedBytes + moreBytes > most) refuse("storage", `The tenant may keep ${most} bytes`);
    },
    storageLimit,
  };
}
