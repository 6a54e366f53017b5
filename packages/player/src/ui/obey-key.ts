import type { KeyCommand } from "./keyboard.ts";
import { nextRate } from "./rates.ts";

/** What keys ask of a player. */
export interface KeyTarget {
  readonly paused: boolean;
  readonly currentTime: number;
  readonly duration: number;
  readonly playbackRate: number;
  muted: boolean;
  volume: number;
  loop: boolean;
  play(): void;
  pause(): void;
  seek(seconds: number): void;
  step(frames: 1 | -1): void;
  toggleFullscreen(): Promise<void>;
  togglePictureInPicture(): Promise<void>;
}

/** What they ask of its panels and notices. */
export interface KeyPanels {
  toggleStats(): void;
  toggleHelp(): void;
  closePanels(): void;
  changeRate(rate: number): void;
  mark(point: "start" | "end" | "none"): void;
  copyLink(): void;
}

/** Does what a key asks. */
export function obeyKey(command: KeyCommand, player: KeyTarget, panels: KeyPanels): void {
  switch (command.type) {
    case "toggle-play":
      return player.paused ? player.play() : player.pause();
    case "toggle-mute":
      player.muted = !player.muted;
      return;
    case "toggle-fullscreen":
      return void player.toggleFullscreen();
    case "toggle-picture-in-picture":
      return void player.togglePictureInPicture();
    case "toggle-loop":
      player.loop = !player.loop;
      return;
    case "toggle-stats":
      return panels.toggleStats();
    case "toggle-help":
      return panels.toggleHelp();
    case "close-panels":
      return panels.closePanels();
    case "copy-link":
      return panels.copyLink();
    case "seek-by":
      return player.seek(player.currentTime + command.seconds);
    case "seek-to-share":
      return Number.isFinite(player.duration) ? player.seek(player.duration * command.share) : undefined;
    case "step":
      return player.step(command.frames);
    case "change-rate":
      return panels.changeRate(nextRate(player.playbackRate, command.by));
    case "mark":
      return panels.mark(command.point);
    case "volume-by":
      player.volume += command.step;
  }
}
