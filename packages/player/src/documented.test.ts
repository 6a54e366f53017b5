import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";

const read = (path: string): string => readFileSync(new URL(path, import.meta.url), "utf8");
const documentation = read("../README.md");
const element = read("./cid-player.ts");
const events = read("./events.ts");

/** What a custom element is called back with, and what is for those who extend it. */
const NOT_FOR_PAGES = new Set([
  "constructor",
  "connectedCallback",
  "disconnectedCallback",
  "attributeChangedCallback",
  "defaultNode",
]);

const found = (text: string, pattern: RegExp): string[] =>
  [...new Set([...text.matchAll(pattern)].map(([, name = ""]) => name))].filter(
    name => !NOT_FOR_PAGES.has(name),
  );

describe("documentation of the player", () => {
  it.each(found(events, /^ {2}"(cid-[a-z-]+)":/gm))("names the event %s", name => {
    expect(documentation).toContain(`\`${name}\``);
  });

  it.each(found(element, /^ {2}(?:get |set |async )?([a-z]\w*)\([^)]*\)(?:: [^{]+)? \{$/gm))(
    "names %s",
    name => {
      expect(documentation).toMatch(new RegExp(`\`${name}(?:\\([^\`]*\\))?\``));
    },
  );

  it.each(found(element.slice(element.indexOf("observedAttributes")), /"([a-z-]+)"(?=[,\]])/g).slice(0, 5))(
    "names the attribute %s",
    name => {
      expect(documentation).toContain(`\`${name}\``);
    },
  );
});
