import { CidcastError } from "../../core/index.ts";

/** A piece of a filter expression. */
export interface Token {
  readonly kind: "word" | "string" | "number" | "operator" | "end";
  readonly text: string;
  /** Place in the text, from 0. */
  readonly at: number;
}

const PIECE =
  /\s*(?:(?<string>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')|(?<number>-?\d+(?:\.\d+)?)(?![\w.])|(?<word>[A-Za-z_][\w-]*(?:\.[\w-]+)*)|(?<operator>==|!=|<=|>=|\^=|~=|<|>|\(|\)|,))/y;

/** Cuts an expression into its pieces. `INVALID_REQUEST` says where it cannot be read. */
export function tokenize(text: string): Token[] {
  const tokens: Token[] = [];
  let at = 0;
  const end = text.trimEnd().length;
  while (at < end) {
    PIECE.lastIndex = at;
    const groups = PIECE.exec(text)?.groups;
    if (groups === undefined) throw unreadable(text, at, "nothing that belongs there");
    const [kind, piece] = Object.entries(groups).find(([, value]) => value !== undefined) ?? [];
    if (kind === undefined || piece === undefined) throw unreadable(text, at, "nothing");
    const start = PIECE.lastIndex - piece.length;
    at = PIECE.lastIndex;
    // The names of the groups are the kinds.
    tokens.push({ kind: kind as Token["kind"], text: kind === "string" ? unquote(piece) : piece, at: start });
  }
  tokens.push({ kind: "end", text: "", at: text.length });
  return tokens;
}

/** The error of an expression that cannot be used. */
export function unreadable(text: string, at: number, found: string): CidcastError {
  return new CidcastError("INVALID_REQUEST", `The filter has ${found} at character ${at + 1}: ${text}`, {
    details: { at },
  });
}

function unquote(piece: string): string {
  return piece.slice(1, -1).replaceAll(/\\(.)/g, "$1");
}
