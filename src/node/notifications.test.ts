import { globSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { isEventType, NOTIFICATION_TYPES } from "@cidcast/protocols/notifications";
import { expect, test } from "vitest";
import { NODE_EVENTS } from "./notifications.ts";

/** Left to applications that embed the node. */
const NOT_OURS = ["custom_event"];

test("every type of notification is one of the node's events, and something of the node publishes it", () => {
  const src = fileURLToPath(new URL("..", import.meta.url));
  const files = globSync("**/*.ts", { cwd: src }).filter(file => !/\.test\.ts$|\/testing\//.test(file));
  const text = files.map(file => readFileSync(`${src}/${file}`, "utf8")).join("\n");
  const isPublished = (name: string): boolean => new RegExp(`publish\\(\\s*"${name}"`).test(text);
  const told = new Set(
    Object.entries(NODE_EVENTS)
      .filter(([name]) => isPublished(name))
      .map(([, { type }]) => type),
  );
  const missing = NOTIFICATION_TYPES.filter(isEventType).filter(type => !told.has(type));
  expect(missing).toEqual(NOT_OURS);
  expect(Object.keys(NODE_EVENTS).filter(name => !isPublished(name))).toEqual([]);
});
