import type { Page } from "playwright-core";
import type { PlayerState } from "../../packages/player/src/playback/player-state.ts";
import type { PlayerStats } from "../../packages/player/src/playback/stats.ts";

/** What a test asks of the `<cid-player>` of a page. Waits are for events, not for time. */
export interface PlayerHandle {
  state(): Promise<PlayerState>;
  currentTime(): Promise<number>;
  duration(): Promise<number>;
  stats(): Promise<PlayerStats>;
  /** Resolves when the player is, or comes to be, in that state. */
  reaches(state: PlayerState): Promise<void>;
  /** Resolves when the position is at or past `seconds`. */
  passes(seconds: number): Promise<void>;
  /** Resolves to the stats when picture and sound have gone on for that many frames and sound samples. */
  advances(by: { frames: number; samples: number }): Promise<PlayerStats>;
  /** Runs an expression in which `player` is the element. */
  run<Result>(expression: string): Promise<Result>;
}

export function playerOf(page: Page): PlayerHandle {
  const run = async <Result>(expression: string): Promise<Result> => {
    await page.locator("cid-player").waitFor({ state: "attached" });
    return page.evaluate<Result>(
      `(() => { const player = document.querySelector("cid-player"); return ${expression}; })()`,
    );
  };
  const until = (event: string, condition: string): Promise<void> =>
    run(`new Promise(resolve => {
      const check = () => { if (${condition}) { player.removeEventListener("${event}", check); resolve(); } };
      player.addEventListener("${event}", check);
      check();
    })`);
  const stats = (): Promise<PlayerStats> => run("player.stats()");
  return {
    run,
    stats,
    state: () => run("player.state"),
    currentTime: () => run("player.currentTime"),
    duration: () => run("player.duration"),
    async reaches(state) {
      await until("cid-state", `["error", ${JSON.stringify(state)}].includes(player.state)`);
      if (state === "error") return;
      const failed = await run<string>("player.error && `${player.error.code}: ${player.error.message}`");
      if (failed) throw new Error(`the player stopped with ${failed}`);
    },
    passes: seconds => until("cid-time", `player.currentTime >= ${seconds}`),
    async advances({ frames, samples }) {
      const before = await stats();
      for (;;) {
        const now = await stats();
        const moved = now.framesDecoded - before.framesDecoded >= frames;
        if (moved && now.audioSamples - before.audioSamples >= samples) return now;
        await page.evaluate("new Promise(requestAnimationFrame)");
      }
    },
  };
}
