import { z } from "zod";

/** What a look at a node's connections finds. See spec.md beside this file. */

/** How a check ended. What did not run is never `ok`. */
export const CHECK_STATES = ["ok", "warn", "fail", "skipped", "unknown"] as const;

/** Most findings of a report. */
export const MAX_FINDINGS = 200;
const text = z.string().max(4096);

export const finding = z.object({
  /** Stable: programs branch on it. */
  code: z.string().regex(/^[A-Z][A-Z0-9_]*$/),
  status: z.enum(CHECK_STATES),
  durationMs: z.number().min(0),
  /** What was found, for people. */
  meaning: text,
  /** What to do about it, where something is to be done. */
  action: text.optional(),
  /** What it is about: a route, an address, a protocol. */
  subject: text.optional(),
});
export type Finding = z.output<typeof finding>;

export const checkBody = z.strictObject({
  /** Address of another node (`http(s)://…`), or a multiaddr: checked against from this one. */
  against: z.string().min(1).max(2048).optional(),
  /** Token of the other node. */
  token: z.string().max(4096).optional(),
  /** Also what takes longer: every transport and protocol of libp2p, STUN and TURN, MCP. */
  all: z.boolean().optional(),
});
export type CheckBody = z.output<typeof checkBody>;

export const checkReport = z.object({
  /** The worst of the findings: fail, unknown, warn, else ok. */
  status: z.enum(["ok", "warn", "unknown", "fail"]),
  version: z.string(),
  against: z.string().optional(),
  startedAt: z.string(),
  durationMs: z.number().min(0),
  findings: z.array(finding).max(MAX_FINDINGS),
});
export type CheckReport = z.output<typeof checkReport>;

/** The state of a report, by its worst finding. */
export function worstOf(findings: readonly Pick<Finding, "status">[]): CheckReport["status"] {
  const states = new Set(findings.map(({ status }) => status));
  if (states.has("fail")) return "fail";
  if (states.has("unknown")) return "unknown";
  return states.has("warn") ? "warn" : "ok";
}
