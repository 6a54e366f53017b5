/** A variable that other programs use for a setting of the node. */
export interface Alias {
  readonly name: string;
  /** The node's own variable for it. */
  readonly target: string;
  /** Turns its text into that of the node's variable; undefined: it means something else. Default: as it is. */
  readonly read?: (text: string) => string | undefined;
}

const REDIS_PORT = 6379;

/** In the order of their strength: of two that are set, the later one holds. The node's own variables are stronger. */
export const ALIASES: readonly Alias[] = [
  { name: "FFMPEG_PATH", target: "CIDCAST_MEDIA_FFMPEG_PATH" },
  { name: "DATABASE_URL", target: "CIDCAST_DATABASE_URL", read: postgresUrl },
  { name: "MCP_ENCRYPTION_KEY", target: "CIDCAST_MCP_ENCRYPTION_KEY" },
  // Other libraries list their log names in a variable of this name.
  { name: "DEBUG", target: "CIDCAST_DEBUG", read: onlyBoolean },
  { name: "DJANGO_DEBUG", target: "CIDCAST_DEBUG" },
  ...["", "DJANGO_"].flatMap((prefix): Alias[] => [
    { name: `${prefix}SECRET_KEY`, target: "CIDCAST_SECRET_KEY" },
    { name: `${prefix}ALLOWED_HOSTS`, target: "CIDCAST_ALLOWED_HOSTS" },
    { name: `${prefix}CORS_ALLOWED_ORIGINS`, target: "CIDCAST_CORS_ORIGINS" },
    { name: `${prefix}REDIS_HOST`, target: "CIDCAST_REDIS_URL", read: redisUrl },
  ]),
];

function onlyBoolean(text: string): string | undefined {
  return /^(?:1|true|yes|on|0|false|no|off)$/i.test(text) ? text : undefined;
}

/** Other programs name databases of other kinds in it. */
function postgresUrl(text: string): string | undefined {
  return /^postgres(?:ql)?:\/\//i.test(text) ? text : undefined;
}

/** A host with or without port, or a whole URL. */
function redisUrl(text: string): string {
  const host = text.trim();
  if (host === "" || host.includes("://")) return host;
  if (host.startsWith("[")) return `redis://${host}${host.endsWith("]") ? `:${REDIS_PORT}` : ""}`;
  const colons = host.split(":").length - 1;
  if (colons === 0) return `redis://${host}:${REDIS_PORT}`;
  return colons === 1 ? `redis://${host}` : `redis://[${host}]:${REDIS_PORT}`;
}
