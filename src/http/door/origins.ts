import { CidcastError } from "../../core/index.ts";

/** Methods that change nothing. */
const SAFE_METHODS: ReadonlySet<string> = new Set(["GET", "HEAD", "OPTIONS"]);

/** Which web pages may use the node. */
export interface OriginPolicy {
  /** True for a configured origin: it gets CORS headers. */
  isConfigured(origin: string): boolean;
  /** Throws `ORIGIN_NOT_ALLOWED` unless the page is the node's own or a configured one. No origin: not a browser. */
  check(origin: string | undefined, host: string | undefined): void;
}

/** `host` has been checked before: a page whose origin has the same host and port is the node's own. */
export function createOriginPolicy(corsOrigins: readonly string[]): OriginPolicy {
  const configured = new Set(corsOrigins.map(parseOrigin));
  return {
    isConfigured: origin => configured.has(origin),
    check(origin, host) {
      if (origin === undefined || configured.has(origin)) return;
      if (host !== undefined && (origin === `http://${host}` || origin === `https://${host}`)) return;
      throw new CidcastError(
        "ORIGIN_NOT_ALLOWED",
        `A page of ${JSON.stringify(origin.slice(0, 100))} may not do this: add it to corsOrigins if it should`,
      );
    },
  };
}

/** True for methods that need an origin check. */
export function changesState(method: string): boolean {
  return !SAFE_METHODS.has(method);
}

function parseOrigin(text: string): string {
  const url = URL.parse(text);
  if (url !== null && /^https?:$/.test(url.protocol) && url.origin === text.replace(/\/$/, ""))
    return url.origin;
  throw new CidcastError(
    "INVALID_CONFIG",
    `corsOrigins: "${text}" is not an origin like https://app.example`,
  );
}
