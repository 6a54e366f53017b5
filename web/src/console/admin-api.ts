/** Where a tab keeps the admin key: gone with the tab. */
const STORAGE_KEY = "cidcast-admin-key";
/** Longest event that is waited for, characters: a stream without an end of line is none. */
const MAX_EVENT_CHARS = 256 * 1024;

/** JSON of the admin API. The page shows what it knows of it and passes over the rest. */
export type Json = Readonly<Record<string, unknown>>;

/** An answer that was none of success; the message is the node's own words. */
export class AdminError extends Error {
  override readonly name = "AdminError";
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

/** The admin API of the node that the page comes from. */
export interface AdminApi {
  get(path: string): Promise<Json>;
  post(path: string, body: Json): Promise<Json>;
  remove(path: string): Promise<Json>;
  /** What happens, one notification each, until `signal` aborts. */
  events(signal: AbortSignal): AsyncGenerator<Json, void, void>;
}

/** The key of this tab; undefined when nobody has signed in. */
export function keptKey(): string | undefined {
  try {
    return sessionStorage.getItem(STORAGE_KEY) ?? undefined;
  } catch {
    // Storage may be forbidden to this page: it then forgets at each reload.
    return undefined;
  }
}

/** Keeps a key for this tab, or (undefined) forgets it. */
export function keepKey(key: string | undefined): void {
  try {
    if (key === undefined) sessionStorage.removeItem(STORAGE_KEY);
    else sessionStorage.setItem(STORAGE_KEY, key);
  } catch {
    // As above.
  }
}

/** `key` empty: for nodes whose admin API is open on loopback. */
export function createAdminApi(key: string): AdminApi {
  const send = async (path: string, init: RequestInit = {}): Promise<Response> => {
    const response = await fetch(`/api/admin/${path}`, {
      ...init,
      headers: {
        ...(key !== "" && { "x-admin-key": key }),
        ...(init.body !== undefined && { "content-type": "application/json" }),
      },
    });
    if (response.ok) return response;
    const body = (await response.json().catch(() => ({}))) as Json;
    throw new AdminError(response.status, textOf(body["error"]) || `The node answered ${response.status}`);
  };
  const json = async (path: string, init?: RequestInit): Promise<Json> =>
    (await (await send(path, init)).json()) as Json;
  return {
    get: path => json(path),
    post: (path, body) => json(path, { method: "POST", body: JSON.stringify(body) }),
    remove: path => json(path, { method: "DELETE" }),
    async *events(signal) {
      const { body } = await send("events", { signal });
      if (body === null) return;
      let rest = "";
      for await (const text of chunksOf(body)) {
        rest += text;
        const events = rest.split("\n\n");
        rest = events.pop() ?? "";
        if (rest.length > MAX_EVENT_CHARS) return;
        for (const event of events) {
          const data = /^data: ?(.*)$/m.exec(event)?.[1];
          if (data !== undefined) yield JSON.parse(data) as Json;
        }
      }
    },
  };
}

/** Not every browser iterates over streams. */
async function* chunksOf(body: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  try {
    for (let step = await reader.read(); !step.done; step = await reader.read()) {
      yield decoder.decode(step.value, { stream: true });
    }
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}

export function textOf(value: unknown): string {
  return typeof value === "string" ? value : typeof value === "number" ? String(value) : "";
}

export function numberOf(value: unknown): number {
  return typeof value === "number" && Number.isFinite(value) ? value : 0;
}

export function listOf(value: unknown): readonly Json[] {
  return Array.isArray(value)
    ? value.filter((item): item is Json => typeof item === "object" && item !== null)
    : [];
}

export function objectOf(value: unknown): Json {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Json) : {};
}
