import { isIP } from "node:net";
import { CidcastError } from "../../core/index.ts";

/** Names by which a machine calls itself. */
const LOOPBACK_NAMES: readonly string[] = ["localhost", "127.0.0.1", "[::1]"];
/** Addresses that stand for every address of the machine. */
const WILDCARDS: ReadonlySet<string> = new Set(["0.0.0.0", "::", "[::]"]);

/** Host and, where given, port of a `Host` header. */
interface Authority {
  readonly name: string;
  readonly port: number | undefined;
}

/** True for addresses that only this machine can reach. */
export function isLoopbackHost(host: string): boolean {
  const name = host.replace(/^\[(.*)\]$/, "$1").toLowerCase();
  return name === "localhost" || name === "::1" || (isIP(name) === 4 && name.startsWith("127."));
}

/** The address as it stands in a URL: IPv6 in brackets. */
export function hostInUrl(host: string): string {
  return isIP(host) === 6 ? `[${host}]` : host;
}

function parseAuthority(text: string): Authority | undefined {
  const match = /^(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::(\d{1,5}))?$/i.exec(text);
  if (match?.[1] === undefined) return undefined;
  const port = match[2] === undefined ? undefined : Number(match[2]);
  return { name: match[1].toLowerCase().replace(/\.$/, ""), port };
}

/** What `allowedHosts` says of one name: itself, `.name` and all below it, or `*`, every name. */
interface AllowedHost extends Authority {
  readonly below: boolean;
}

const EVERY_HOST = "*";

function parseAllowedHost(text: string): AllowedHost {
  const below = text.startsWith(".");
  const authority = parseAuthority(below ? text.slice(1) : text);
  if (authority !== undefined && !authority.name.startsWith(".")) return { ...authority, below };
  throw new CidcastError(
    "INVALID_CONFIG",
    `allowedHosts: "${text}" is not a host name, with or without port; \`.name\` stands for a name and all below it`,
  );
}

/** Which `Host` headers the node answers to. */
export interface HostPolicy {
  /** Throws `HOST_NOT_ALLOWED` for a host the node does not serve: a page can point a name of its own at this machine. */
  check(host: string | undefined): void;
}

/**
 * Loopback names and the bound address at the node's own port, and what is configured. Bound to every address, any IP
 * address is right: only names can be made to point elsewhere.
 */
export function createHostPolicy(init: {
  readonly host: string;
  readonly allowedHosts: readonly string[];
  readonly port: () => number;
  /** Whether callers have to show a token: then a name that points elsewhere leads nowhere. */
  readonly guarded: boolean;
}): HostPolicy {
  const own = new Set([...LOOPBACK_NAMES, hostInUrl(init.host).toLowerCase()]);
  const wildcard = WILDCARDS.has(init.host);
  const every = init.allowedHosts.includes(EVERY_HOST);
  if (every && !init.guarded) {
    throw new CidcastError(
      "INVALID_CONFIG",
      'allowedHosts: "*" lets a page of anybody\'s reach this node under a name of its own: set a token (--token), or name the hosts',
    );
  }
  const configured = init.allowedHosts.filter(text => text !== EVERY_HOST).map(parseAllowedHost);
  const allows = ({ name, port }: Authority): boolean => {
    if (own.has(name) && (port ?? 80) === init.port()) return true;
    if (wildcard && isIP(name.replace(/^\[(.*)\]$/, "$1")) !== 0) return true;
    return (
      every ||
      configured.some(
        entry =>
          (entry.name === name || (entry.below && name.endsWith(`.${entry.name}`))) &&
          (entry.port === undefined || entry.port === port),
      )
    );
  };
  return {
    check(host) {
      const authority = host === undefined ? undefined : parseAuthority(host);
      if (authority !== undefined && allows(authority)) return;
      throw new CidcastError(
        "HOST_NOT_ALLOWED",
        `This node does not answer to the host ${JSON.stringify((host ?? "").slice(0, 100))}: add it to allowedHosts if it should`,
      );
    },
  };
}
