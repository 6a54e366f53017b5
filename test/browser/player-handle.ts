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

/** How long one wait may take before it fails and says what was there instead, ms. */
const WAIT_LIMIT_MS = 60_000;

export function playerOf(page: Page): PlayerHandle {
  const run = async <Result>(expression: string): Promise<Result> => {
    await page.locator("cid-player").waitFor({ state: "attached" });
    return page.evaluate<Result>(
      `(() => { const player = document.querySelector("cid-player"); return ${expression}; })()`,
    );
  };
  const stats = (): Promise<PlayerStats> => run("player.stats()");
  const told = async (): Promise<string> =>
    JSON.stringify(
      await run(`player.stats().then(stats => ({
        state: player.state, paused: player.paused, error: player.error?.code,
        currentTime: player.currentTime, stats,
      }))`),
    );
  const until = async (event: string, condition: string): Promise<void> => {
    const met = await run<boolean>(`new Promise(resolve => {
      const end = met => {
        player.removeEventListener("${event}", check);
        clearTimeout(timer);
        resolve(met);
      };
      const check = () => { if (${condition}) end(true); };
      const timer = setTimeout(end, ${WAIT_LIMIT_MS}, false);
      player.addEventListener("${event}", check);
      check();
    })`);
    if (!met) throw new Error(`waited in vain for ${condition}: ${await told()}`);
  };
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
      let last = await stats();
      const moved = { frames: 0, samples: 0 };
      const endMs = performance.now() + WAIT_LIMIT_MS;
      for (;;) {
        const now = await stats();
        moved.frames += counted(last.framesDecoded, now.framesDecoded);
        moved.samples += counted(last.audioSamples, now.audioSamples);
        if (moved.frames >= frames && moved.samples >= samples) return now;
        last = now;
        if (performance.now() > endMs) {
          throw new Error(`waited in vain for ${frames} frames, ${samples} samples: ${await told()}`);
        }
        await page.evaluate("new Promise(requestAnimationFrame)");
      }
    },
  };
}

/** How far a counter has come. One that fell began anew: a connection that was lost on a busy machine was made again. */
function counted(before: number, now: number): number {
  return now >= before ? now - before : now;
}

/**
 * Keeps the player from going over to the file itself: on a busy machine WebRTC may need longer than the player waits,
 * and what a test of WebRTC then sees is something else. Before the page is opened.
 */
export async function withoutFileFallback(page: Page): Promise<void> {
  await page.addInitScript(`HTMLMediaElement.prototype.canPlayType = () => "";`);
}
