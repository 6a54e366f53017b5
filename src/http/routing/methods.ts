import type { RegisteredRoute } from "../types.ts";

/** The methods that a path takes, for `METHOD_NOT_ALLOWED`; empty when there is nothing at it. */
export function methodsOf(routes: readonly RegisteredRoute[], path: string): string[] {
  const methods = routes.filter(route => matches(route.url, path)).map(route => route.method);
  return [...new Set(methods)].sort();
}

function matches(pattern: string, path: string): boolean {
  const wanted = pattern.split("/");
  const given = path.split("/");
  for (const [index, part] of wanted.entries()) {
    if (part === "*") return given.length > index;
    const actual = given[index];
    if (actual === undefined) return false;
    if (part.startsWith(":") ? actual === "" : part !== actual) return false;
  }
  return given.length === wanted.length;
}
