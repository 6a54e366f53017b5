import { expect, it } from "vitest";
import { EventBus, ownerPrincipal, silentLogger } from "../../core/index.ts";
import type { WebRTCEvents } from "../types.ts";
import { MAX_ENDED_REMEMBERED } from "./limits.ts";
import { Reconnections } from "./reconnections.ts";

it("so many sessions that ended are remembered, the newest of them", () => {
  const reconnections = new Reconnections(new EventBus<WebRTCEvents>(silentLogger));
  for (let i = 0; i <= MAX_ENDED_REMEMBERED; i++) reconnections.ended({ id: `pc_${i}`, cid: "film" });
  const replacing = (id: string) =>
    reconnections.replacing(
      { cid: "film", owner: "somebody", principal: ownerPrincipal, replaces: { id, attempt: 1 } },
      new Map(),
    );
  expect(replacing("pc_0")).toBeUndefined();
  expect(replacing("pc_1")?.lostId).toBe("pc_1");
  expect(replacing(`pc_${MAX_ENDED_REMEMBERED}`)?.lostId).toBe(`pc_${MAX_ENDED_REMEMBERED}`);
});
