import { CidcastError } from "../../../core/index.ts";
import { MAX_EXPRESSION_DEPTH, MAX_EXPRESSION_LENGTH } from "../../limits.ts";

const NUMBER = /(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?/iy;
const OPERATOR = /\*\*|[+\-*/%()]/y;
const SPACE = /\s*/y;

/**
 * The value of an expression of numbers, `+ - * / %`, `**` (binds to the right, tighter than a sign before it) and
 * parentheses. Nothing in it is ever run as code. `INVALID_REQUEST` says what is wrong and where.
 */
export function calculate(expression: string): number {
  if (expression.length > MAX_EXPRESSION_LENGTH) {
    throw bad(`an expression has at most ${MAX_EXPRESSION_LENGTH} characters`);
  }
  const parser = new Parser(expression);
  const value = parser.sum(0);
  parser.end();
  if (!Number.isFinite(value)) throw bad("the result is not a finite number");
  return value;
}

function bad(problem: string): CidcastError {
  return new CidcastError("INVALID_REQUEST", `The expression cannot be calculated: ${problem}`);
}

class Parser {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  sum(depth: number): number {
    let value = this.#product(depth);
    for (;;) {
      if (this.#take("+")) value += this.#product(depth);
      else if (this.#take("-")) value -= this.#product(depth);
      else return value;
    }
  }

  end(): void {
    this.#skip();
    if (this.#at < this.#text.length)
      throw bad(`unexpected ${JSON.stringify(this.#text[this.#at])} at ${this.#at + 1}`);
  }

  #product(depth: number): number {
    let value = this.#signed(depth);
    for (;;) {
      if (this.#take("*")) value *= this.#signed(depth);
      else if (this.#take("/")) value = divide(value, this.#signed(depth), (a, b) => a / b);
      else if (this.#take("%"))
        value = divide(value, this.#signed(depth), (a, b) => a - b * Math.floor(a / b));
      else return value;
    }
  }

  #signed(depth: number): number {
    const inner = this.#deeper(depth);
    if (this.#take("-")) return -this.#signed(inner);
    if (this.#take("+")) return this.#signed(inner);
    const base = this.#primary(inner);
    return this.#take("**") ? base ** this.#signed(inner) : base;
  }

  #primary(depth: number): number {
    if (this.#take("(")) {
      const value = this.sum(depth);
      if (!this.#take(")")) throw bad(`a parenthesis is not closed at ${this.#at + 1}`);
      return value;
    }
    const text = this.#match(NUMBER);
    if (text === undefined) {
      throw bad(
        this.#at < this.#text.length
          ? `a number is missing at ${this.#at + 1}`
          : "a number is missing at the end",
      );
    }
    this.#at += text.length;
    return Number(text);
  }

  #take(operator: string): boolean {
    if (this.#match(OPERATOR) !== operator) return false;
    this.#at += operator.length;
    return true;
  }

  #match(pattern: RegExp): string | undefined {
    this.#skip();
    pattern.lastIndex = this.#at;
    return pattern.exec(this.#text)?.[0];
  }

  #skip(): void {
    SPACE.lastIndex = this.#at;
    this.#at += SPACE.exec(this.#text)?.[0].length ?? 0;
  }

  #deeper(depth: number): number {
    if (depth >= MAX_EXPRESSION_DEPTH) throw bad(`it is nested deeper than ${MAX_EXPRESSION_DEPTH} levels`);
    return depth + 1;
  }
}

function divide(a: number, b: number, how: (a: number, b: number) => number): number {
  if (b === 0) throw bad("division by zero");
  return how(a, b);
}
