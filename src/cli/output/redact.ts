/** What is taken out of a report, and what stands in its place; each kind is numbered, so that one thing keeps one name. */
const KINDS: readonly (readonly [string, RegExp])[] = [
  ["peer", /\b(?:12D3Koo\w{40,}|Qm[1-9A-HJ-NP-Za-km-z]{44}|16Uiu2HA\w{40,})\b/g],
  ["cid", /\bb[a-z2-7]{40,}\b/g],
  [
    "host",
    /(?<=(?:https?|wss?|stuns?|turns?|redis|postgres):\/?\/?(?:[^\s@/]*@)?)[A-Za-z0-9.-]+\.[A-Za-z][A-Za-z0-9-]*|(?<=\/dns(?:4|6|addr)?\/)[^/\s]+/g,
  ],
  ["ip", /\b\d{1,3}(?:\.\d{1,3}){3}\b/g],
  ["ip", /(?<![\w:])(?:[0-9a-f]{0,4}:){2,7}[0-9a-f]{0,4}(?![\w:])/gi],
  ["path", /(?<![\w:/])\/(?:home|root|Users|var|tmp|opt|srv|mnt)\/[^\s"']+/g],
];

/** The same value with addresses, names, ids and paths of this machine replaced; loopback stays. */
export function redact<T>(value: T): T {
  const names = new Map<string, string>();
  const counts = new Map<string, number>();
  const clean = (text: string): string =>
    KINDS.reduce(
      (rest, [kind, pattern]) =>
        rest.replace(pattern, found => {
          if (/^(?:127\.|0\.0\.0\.0$|::1?$)/.test(found)) return found;
          const known = names.get(found);
          if (known !== undefined) return known;
          const count = (counts.get(kind) ?? 0) + 1;
          counts.set(kind, count);
          const name = `<${kind}-${count}>`;
          names.set(found, name);
          return name;
        }),
      text,
    );
  const walk = (inner: unknown): unknown => {
    if (typeof inner === "string") return clean(inner);
    if (Array.isArray(inner)) return inner.map(walk);
    if (typeof inner !== "object" || inner === null) return inner;
    return Object.fromEntries(Object.entries(inner).map(([key, below]) => [key, walk(below)]));
  };
  // Strings stay strings, and nothing is added or taken away.
  return walk(value) as T;
}
