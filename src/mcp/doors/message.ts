import { MAX_MESSAGE_BYTES, RPC_ERRORS } from "@cidcast/protocols/mcp";
import { type JSONRPCMessage, ProtocolError, parseJSONRPCMessage } from "@modelcontextprotocol/server";
import { MAX_BATCH, MAX_JSON_DEPTH } from "../limits.ts";

/** Parses JSON that a stranger sent: `Parse error` when it is too long, nested too deep or not JSON. */
export function parseJson(text: string): unknown {
  if (text.length > MAX_MESSAGE_BYTES || nestsDeeperThan(text, MAX_JSON_DEPTH)) throw parseError();
  try {
    return JSON.parse(text);
  } catch {
    throw parseError();
  }
}

/** Parses one frame: a message, or a batch of them as the revision 2025-03-26 has. */
export function parseMessages(text: string): JSONRPCMessage[] {
  const json = parseJson(text);
  const list = Array.isArray(json) ? json : [json];
  if (list.length === 0 || list.length > MAX_BATCH) throw invalidRequest();
  return list.map(parseMessage);
}

/** Checks one message. */
export function parseMessage(json: unknown): JSONRPCMessage {
  try {
    return parseJSONRPCMessage(completeInitialize(json));
  } catch {
    throw invalidRequest();
  }
}

/**
 * Gives an `initialize` without capabilities empty ones: the schema asks for them, and clients of 2024-11-05 that are in
 * use leave them out.
 */
export function completeInitialize(json: unknown): unknown {
  if (Array.isArray(json)) return json.map(completeInitialize);
  if (!isObject(json) || json["method"] !== "initialize" || !isObject(json["params"])) return json;
  const params = json["params"];
  if (params["capabilities"] !== undefined) return json;
  return { ...json, params: { ...params, capabilities: {} } };
}

/** The id of a message that could not be read as one, to answer it with; null when there is none. */
export function idOf(json: unknown): string | number | null {
  const id = isObject(json) ? json["id"] : undefined;
  return typeof id === "string" || typeof id === "number" ? id : null;
}

/** A JSON-RPC error as a message. */
export function errorMessage(id: string | number | null, error: ProtocolError) {
  return {
    jsonrpc: "2.0" as const,
    id,
    error: {
      code: error.code,
      message: error.message,
      ...(error.data !== undefined && { data: error.data }),
    },
  };
}

export function parseError(): ProtocolError {
  return new ProtocolError(RPC_ERRORS.parse, "Parse error");
}

export function invalidRequest(): ProtocolError {
  return new ProtocolError(RPC_ERRORS.invalidRequest, "Invalid Request");
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Looks at brackets outside strings only; whether the rest is JSON is for the parser to say. */
function nestsDeeperThan(text: string, max: number): boolean {
  let depth = 0;
  let inString = false;
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index);
    if (inString) {
      if (code === 0x5c) index += 1;
      else if (code === 0x22) inString = false;
    } else if (code === 0x22) inString = true;
    else if (code === 0x7b || code === 0x5b) {
      depth += 1;
      if (depth > max) return true;
    } else if (code === 0x7d || code === 0x5d) depth -= 1;
  }
  return false;
}
