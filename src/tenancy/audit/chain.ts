import { createHmac } from "node:crypto";
import type { AuditRecord } from "../types.ts";

/** What the first record of a chain names as the one before it. */
export const CHAIN_START = "0".repeat(43);

/**
 * The link of a record: HMAC-SHA-256 over its fields and the link before. Keyed, so that somebody who can only write the
 * database cannot make a new chain; the fields are one JSON list, so that no two records have the same text.
 */
export function linkOf(key: Buffer, record: Omit<AuditRecord, "hash">): string {
  const fields = [
    record.previousHash,
    record.tenantId,
    record.seq,
    record.sessionId,
    record.caller,
    record.tool,
    record.arguments,
    record.result ?? null,
    record.error ?? null,
    record.durationMs,
    record.atMs,
  ];
  return createHmac("sha256", key).update(JSON.stringify(fields)).digest("base64url");
}

/** Where a chain is broken. */
export interface ChainBreak {
  readonly seq: number;
  readonly reason: "changed" | "missing";
}

/** Checks records in order; returns the first that does not fit, and remembers where it is for the next page. */
export function createChainCheck(key: Buffer): (record: AuditRecord) => ChainBreak | undefined {
  let expectedSeq = 1;
  let previousHash = CHAIN_START;
  return record => {
    if (record.seq !== expectedSeq || record.previousHash !== previousHash) {
      return { seq: expectedSeq, reason: record.seq > expectedSeq ? "missing" : "changed" };
    }
    if (linkOf(key, record) !== record.hash) return { seq: record.seq, reason: "changed" };
    expectedSeq += 1;
    previousHash = record.hash;
    return undefined;
  };
}
