import { type RawBuilder, type SqlBool, sql } from "kysely";
import { MAX_LIST_ROWS } from "../limits.ts";

/** Which part of a list that is newest first. */
export interface Page {
  /** At most {@link MAX_LIST_ROWS}, which is the default. */
  readonly limit?: number | undefined;
  /** Id of the last one of the page before. */
  readonly after?: string | undefined;
}

/** How many rows a page has. */
export function pageSize(limit = MAX_LIST_ROWS): number {
  return Math.min(limit, MAX_LIST_ROWS);
}

/** The rows of a page, and the id to ask for the next one with, of rows of which one more than {@link pageSize} were asked for. */
export function cut<R extends { readonly id: string }>(
  rows: readonly R[],
  size: number,
): { readonly rows: readonly R[]; readonly next: string | undefined } {
  const page = rows.slice(0, size);
  return { rows: page, next: rows.length > size ? page.at(-1)?.id : undefined };
}

/** What comes behind a row where the newest is first, and ids decide between those of one millisecond. */
export function isOlder(
  table: string,
  row: { readonly id: string; readonly createdAtMs: number },
): RawBuilder<SqlBool> {
  const createdAt = sql.ref(`${table}.created_at_ms`);
  return sql`(${createdAt} < ${row.createdAtMs} or (${createdAt} = ${row.createdAtMs} and ${sql.ref(`${table}.id`)} < ${row.id}))`;
}
