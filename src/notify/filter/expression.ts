import type { Scalar } from "@cidcast/protocols/notifications";
import { CidcastError } from "../../core/index.ts";
import { MAX_FILTER_DEPTH, MAX_FILTER_PATH, MAX_FILTER_TERMS, MAX_FILTERED_CHARS } from "../limits.ts";
import type { LogEvent } from "../types.ts";
import { field, type Predicate, step } from "./equality.ts";
import { globTest } from "./glob.ts";
import { type Token, tokenize, unreadable } from "./tokens.ts";

/** Fields of the notification itself; any other path begins in `data`. */
const OWN_FIELDS = new Set(["data", "timestamp", "source", "tenant", "offset"]);

const COMPARISONS: Record<string, (expected: Scalar) => (value: unknown) => boolean> = {
  "==": expected => value => value === expected,
  "!=": expected => value => value !== expected,
  "<": expected => value => order(value, expected) < 0,
  "<=": expected => value => order(value, expected) <= 0,
  ">": expected => value => order(value, expected) > 0,
  ">=": expected => value => order(value, expected) >= 0,
  "^=": expected => value => isShortText(value) && value.startsWith(String(expected)),
  "~=": expected => {
    const test = globTest(String(expected));
    return value => isShortText(value) && test(value);
  },
};

/**
 * Compiles a filter expression (its grammar is in the protocol's spec). Throws `INVALID_REQUEST` with the place of what
 * cannot be read. The cost of the result is bounded: a few comparisons, none of which looks at a long value.
 */
export function compileFilter(text: string): Predicate {
  const tokens = tokenize(text);
  let at = 0;
  let terms = 0;

  const peek = (): Token => tokens[at] ?? { kind: "end", text: "", at: text.length };
  const next = (): Token => {
    const token = peek();
    at += 1;
    return token;
  };
  const isWord = (word: string): boolean => peek().kind === "word" && peek().text.toLowerCase() === word;
  const takes = (word: string): boolean => {
    if (!isWord(word)) return false;
    at += 1;
    return true;
  };
  const expect = (operator: string): void => {
    const token = next();
    if (token.kind !== "operator" || token.text !== operator) throw wrong(token, `where ${operator} belongs`);
  };
  const wrong = (token: Token, where: string): CidcastError =>
    unreadable(text, token.at, `${token.kind === "end" ? "its end" : JSON.stringify(token.text)} ${where}`);

  const list = (word: string, item: (depth: number) => Predicate, depth: number): Predicate[] => {
    const items = [item(depth)];
    while (takes(word)) items.push(item(depth));
    return items;
  };
  const anyOf = (depth: number): Predicate => {
    const items = list("or", allOf, depth);
    return items.length === 1 ? (items[0] ?? never) : event => items.some(test => test(event));
  };
  const allOf = (depth: number): Predicate => {
    const items = list("and", single, depth);
    return items.length === 1 ? (items[0] ?? never) : event => items.every(test => test(event));
  };
  const single = (depth: number): Predicate => {
    if (depth > MAX_FILTER_DEPTH) {
      throw new CidcastError("INVALID_REQUEST", `A filter goes at most ${MAX_FILTER_DEPTH} levels deep`);
    }
    if (takes("not")) {
      const inner = single(depth + 1);
      return event => !inner(event);
    }
    if (peek().kind === "operator" && peek().text === "(") {
      at += 1;
      const inner = anyOf(depth + 1);
      expect(")");
      return inner;
    }
    return comparison();
  };
  const comparison = (): Predicate => {
    terms += 1;
    if (terms > MAX_FILTER_TERMS) {
      throw new CidcastError("INVALID_REQUEST", `A filter has at most ${MAX_FILTER_TERMS} comparisons`);
    }
    const name = next();
    if (name.kind !== "word") throw wrong(name, "where the name of a field belongs");
    const get = reader(name.text);
    if (takes("exists")) return event => get(event) !== undefined;
    if (takes("in")) {
      const values = new Set<unknown>(members());
      return event => values.has(get(event));
    }
    const operator = next();
    const make = operator.kind === "operator" ? COMPARISONS[operator.text] : undefined;
    if (make === undefined) throw wrong(operator, "where a comparison belongs");
    const test = make(literal());
    return event => test(get(event));
  };
  const members = (): Scalar[] => {
    expect("(");
    const values = [literal()];
    while (peek().text === "," && peek().kind === "operator") {
      at += 1;
      values.push(literal());
    }
    expect(")");
    return values;
  };
  const literal = (): Scalar => {
    const token = next();
    if (token.kind === "string") return token.text;
    if (token.kind === "number") return Number(token.text);
    const word = token.kind === "word" ? token.text.toLowerCase() : "";
    if (word === "true" || word === "false") return word === "true";
    if (word === "null") return null;
    throw wrong(token, "where a value belongs");
  };

  const whole = anyOf(0);
  const rest = next();
  if (rest.kind !== "end") throw wrong(rest, "where it should end");
  return whole;
}

function never(): boolean {
  return false;
}

function reader(path: string): (event: LogEvent) => unknown {
  const steps = path.split(".");
  if (steps.length > MAX_FILTER_PATH) {
    throw new CidcastError("INVALID_REQUEST", `A path has at most ${MAX_FILTER_PATH} steps: ${path}`);
  }
  const [first = "", ...rest] = steps;
  if (first === "type" || first === "notification_type") return event => event.topic;
  if (!OWN_FIELDS.has(first)) return event => steps.reduce<unknown>(step, event.data);
  return event => rest.reduce(step, field(event, first));
}

/** Less than, equal to or more than 0; NaN, which no comparison holds for, when the two cannot be ordered. */
function order(value: unknown, expected: Scalar): number {
  if (typeof value === "number" && typeof expected === "number") return value - expected;
  if (!isShortText(value) || typeof expected !== "string") return Number.NaN;
  if (value === expected) return 0;
  return value < expected ? -1 : 1;
}

function isShortText(value: unknown): value is string {
  return typeof value === "string" && value.length <= MAX_FILTERED_CHARS;
}
