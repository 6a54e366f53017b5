import type { Counter, Metrics } from "../core/index.ts";

/** Times that a quota or rate limit of a tenant, or the limit on guesses, was reached. */
export function limitHits(metrics: Metrics): Counter {
  return metrics.counter({
    name: "cidcast_tenancy_limit_hits_total",
    help: "Requests refused by a quota or rate limit",
    labelNames: ["limit"],
  });
}

/** Tokens shown at the doors, by what became of them. */
export function tokenChecks(metrics: Metrics): Counter {
  return metrics.counter({
    name: "cidcast_tenancy_token_checks_total",
    help: "Tokens shown by callers",
    labelNames: ["outcome"],
  });
}

/** Tool calls written to the audit log. */
export function auditedCalls(metrics: Metrics): Counter {
  return metrics.counter({
    name: "cidcast_tenancy_audited_calls_total",
    help: "Tool calls written to the audit log",
  });
}
