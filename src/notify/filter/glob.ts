import { CidcastError } from "../../core/index.ts";
import { MAX_GLOB_STARS } from "../limits.ts";

/**
 * A pattern in which `*` stands for any text. Takes time in proportion to the text: the pieces between the stars are
 * searched one after another, and there is no going back.
 */
export function globTest(pattern: string): (text: string) => boolean {
  const [first = "", ...rest] = pattern.split("*");
  if (rest.length > MAX_GLOB_STARS) {
    throw new CidcastError("INVALID_REQUEST", `A pattern has at most ${MAX_GLOB_STARS} stars: ${pattern}`);
  }
  const last = rest.pop();
  if (last === undefined) return text => text === first;
  return text => {
    if (text.length < first.length + last.length || !text.startsWith(first) || !text.endsWith(last))
      return false;
    let at = first.length;
    for (const piece of rest) {
      const found = text.indexOf(piece, at);
      if (found < 0) return false;
      at = found + piece.length;
    }
    return at <= text.length - last.length;
  };
}
