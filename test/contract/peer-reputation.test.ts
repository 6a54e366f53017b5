import { expect, test } from "vitest";
import { EventBus, noMetrics, silentLogger, VirtualClock } from "../../src/core/index.ts";
import { type PeerTables, peerMigrations } from "../../src/p2p/identity/migrations.ts";
import { REPUTATION_WRITE_MS } from "../../src/p2p/limits.ts";
import { peerMetrics } from "../../src/p2p/metrics.ts";
import { Reputations } from "../../src/p2p/reputation/index.ts";
import { openDatabase } from "../../src/store/index.ts";

/** A day that a wall clock may show. */
const NOW_MS = 1_800_000_000_000;

test("what is known of peers is kept over a restart: bans at once, the rest within seconds and at the stop", async () => {
  await using database = await openDatabase({ file: ":memory:", migrations: [...peerMigrations] });
  const clock = new VirtualClock(NOW_MS);
  const open = async (): Promise<Reputations> => {
    const reputation = new Reputations({
      database: database.tables<PeerTables>(),
      events: new EventBus(silentLogger),
      metrics: peerMetrics(noMetrics),
      clock,
      log: silentLogger,
    });
    await reputation.start();
    return reputation;
  };
  const first = await open();
  first.relate("manifest", ["video", "audio"]);
  first.note("a", { result: "ok", latencyMs: 3, bytes: 1000, durationMs: 10, about: "video" });
  clock.advance(REPUTATION_WRITE_MS);
  first.note("b", { result: "bad" });
  await first.stop();
  const second = await open();
  expect(second.rank(["b", "c", "a"], "audio")).toEqual(["a", "c"]);
  expect(second.facts("a")).toEqual(first.facts("a"));
  expect(second.isBanned("b")).toBe(true);
  await second.stop();
});
