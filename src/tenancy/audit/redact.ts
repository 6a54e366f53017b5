import {
  MAX_AUDIT_ARGUMENTS,
  MAX_AUDIT_DEPTH,
  MAX_AUDIT_ENTRIES,
  MAX_AUDIT_RESULT,
  MAX_AUDIT_TEXT,
} from "../limits.ts";
import { TOKEN_PATTERN } from "../tokens/token-text.ts";

const HIDDEN = "[redacted]";
const SECRET_KEY =
  /pass|secret|token|authori[sz]ation|cookie|credential|api[-_ ]?key|private|session|^key$|^auth$/i;
const BEARER = /\b(bearer|basic)\s+[\w.~+/=-]{6,}/gi;
/** User and password in front of a host name. */
const USERINFO = /(\w+:\/\/)[^\s/@]*@/g;
/** Values of query parameters that look like secrets. */
const QUERY = /([?&][\w.-]*(?:key|token|secret|pass\w*|signature|sig|auth)=)[^&\s#]+/gi;

/** A text with everything that looks like a secret taken out, cut at `max` characters. */
export function redactText(text: string, max: number): string {
  const cut = text.length > max ? `${text.slice(0, max)}… (${text.length} characters)` : text;
  return plainText(cut)
    .replaceAll(TOKEN_PATTERN, HIDDEN)
    .replaceAll(BEARER, `$1 ${HIDDEN}`)
    .replaceAll(USERINFO, `$1${HIDDEN}@`)
    .replaceAll(QUERY, `$1${HIDDEN}`);
}

/** A text as every database gives it back: half characters and zero bytes would not be. */
export function plainText(text: string): string {
  return text.toWellFormed().replaceAll("\0", "\uFFFD");
}

/** Arguments of a call as JSON for the audit log: secrets by name and by look taken out, long texts cut. */
export function redactArguments(value: unknown): string {
  const json = JSON.stringify(redact(value, 0)) ?? "null";
  return json.length > MAX_AUDIT_ARGUMENTS
    ? JSON.stringify({ cut: `${json.length} characters`, start: json.slice(0, MAX_AUDIT_ARGUMENTS / 2) })
    : json;
}

/** A result or an error for the audit log. */
export function redactResult(text: string | undefined): string | undefined {
  return text === undefined ? undefined : redactText(text, MAX_AUDIT_RESULT);
}

function redact(value: unknown, depth: number): unknown {
  if (typeof value === "string") return redactText(value, MAX_AUDIT_TEXT);
  if (typeof value === "bigint" || typeof value === "symbol" || typeof value === "function")
    return String(value);
  if (typeof value !== "object" || value === null) return value;
  if (depth >= MAX_AUDIT_DEPTH) return "[deeper]";
  if (Array.isArray(value)) {
    const kept: unknown[] = value.slice(0, MAX_AUDIT_ENTRIES).map(item => redact(item, depth + 1));
    if (value.length > MAX_AUDIT_ENTRIES) kept.push(`[${value.length - MAX_AUDIT_ENTRIES} more]`);
    return kept;
  }
  return Object.fromEntries(
    Object.entries(value)
      .slice(0, MAX_AUDIT_ENTRIES)
      .map(([key, item]) => [
        key.slice(0, MAX_AUDIT_TEXT),
        SECRET_KEY.test(key) ? HIDDEN : redact(item, depth + 1),
      ]),
  );
}
