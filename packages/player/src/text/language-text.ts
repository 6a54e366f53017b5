/** A language as people call it in their own; the tag itself where the browser knows none, `rest` without a tag. */
export function languageText(tag: string | undefined, rest: string): string {
  if (!tag) return rest;
  try {
    return new Intl.DisplayNames(undefined, { type: "language" }).of(tag) ?? tag;
  } catch {
    return tag;
  }
}
