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

/** What comes behind a row where the newest is first, and ids decide between those of one millisecond. */
export function isOlder(
  table: string,
  row: { readonly id: string; readonly createdAtMs: number },
): RawBuilder<SqlBool> {
  const createdAt = sql.ref(`${table}.created_at_ms`);
  return sql`(${createdAt} < ${row.createdAtMs} or (${createdAt} = ${row.createdAtMs} and ${sql.ref(`${table}.id`)} < ${row.id}))`;
}
