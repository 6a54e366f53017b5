import type { PlayerSource } from "../playback/player-source.ts";
import type { StatsPanel } from "../ui/stats-panel.ts";

/** Brings the statistics panel up to date while it is open, one look at a time. */
export function createStatsSampler(panel: StatsPanel): (playback: PlayerSource | undefined) => Promise<void> {
  let pending = false;
  return async playback => {
    if (!panel.open || !playback || pending) return;
    pending = true;
    try {
      const stats = await playback.stats();
      // A track that could play but was not chosen has nothing to tell.
      const told = playback.tracks.filter(({ sent, verdict }) => sent || verdict.mode === "unplayable");
      const notes = told.map(({ kind, codec, verdict }) => ({ kind, codec, ...verdict }));
      panel.update(stats, notes);
    } finally {
      pending = false;
    }
  };
}
