import { CONTROL_STYLES } from "./styles-controls.ts";
import { PANEL_STYLES } from "./styles-panels.ts";

const FRAME_STYLES = `
:host {
  --accent: var(--cid-player-accent, #2dd4bf);
  --text: #f8fafc;
  --shade: rgb(8 12 18 / 0.82);
  display: block;
  position: relative;
  overflow: hidden;
  background: #05070a;
  color: var(--text);
  font: 14px/1.4 system-ui, "Open Sans", sans-serif;
  aspect-ratio: var(--cid-player-aspect, 16 / 9);
  container-type: inline-size;
  user-select: none;
}
:host([hidden]) { display: none; }
:host(:fullscreen) { aspect-ratio: auto; width: 100%; height: 100%; }
* { box-sizing: border-box; }
[hidden] { display: none !important; }
.frame { position: absolute; inset: 0; outline: none; }
.frame.quiet { cursor: none; }
video, .seek-cover { position: absolute; inset: 0; width: 100%; height: 100%; object-fit: contain; display: block; }
.seek-cover { pointer-events: none; }
.poster { position: absolute; inset: 0; width: 100%; height: 100%; object-fit: contain; background: #05070a; }
video, .sound-cover, .poster { touch-action: manipulation; }
.notice {
  position: absolute; top: 14px; left: 0; right: 0; margin-inline: auto; width: max-content; max-width: 80%;
  padding: 8px 16px; border-radius: 999px; background: var(--shade); font-weight: 600; pointer-events: none;
}
.notice:empty { display: none; }
.sound-cover {
  position: absolute; inset: 0; display: grid; place-items: center;
  background: radial-gradient(circle at 50% 40%, #12343b, #05070a 70%);
}
.sound-cover .icon { width: clamp(56px, 16cqi, 128px); height: auto; color: var(--accent); }
.icon { width: 22px; height: 22px; display: block; }
button { font: inherit; color: inherit; }
:focus-visible { outline: 3px solid #fff; outline-offset: 2px; box-shadow: 0 0 0 6px #000; }
.frame:focus-visible { outline: 3px solid #fff; outline-offset: -3px; box-shadow: none; }
.big {
  position: absolute; inset: 0; margin: auto; width: 84px; height: 84px; border: 0; border-radius: 50%;
  display: grid; place-items: center; cursor: pointer; background: var(--shade); color: #fff;
  transition: transform 0.15s, background 0.15s;
}
.big .icon { width: 42px; height: 42px; }
.big:hover { transform: scale(1.06); background: rgb(8 12 18 / 0.95); }
.waiting {
  position: absolute; inset: 0; margin: auto; width: max-content; height: max-content; max-width: 90%;
  display: grid; justify-items: center; gap: 12px; pointer-events: none; text-align: center;
}
.waiting .ring {
  width: 46px; height: 46px; border-radius: 50%; border: 4px solid rgb(255 255 255 / 0.25);
  border-top-color: var(--accent); animation: turn 0.9s linear infinite;
}
.waiting .words { background: var(--shade); padding: 6px 12px; border-radius: 8px; }
.waiting .words:empty { display: none; }
.unmute {
  position: absolute; top: 14px; inset-inline-start: 14px; display: flex; align-items: center; gap: 8px; cursor: pointer;
  border: 0; border-radius: 999px; padding: 10px 16px; background: #f8fafc; color: #0b1118; font-weight: 600;
}
@container (min-width: 2400px) {
  .big { width: 148px; height: 148px; }
  .big .icon { width: 76px; height: 76px; }
  .notice, .waiting .words, .unmute { font-size: 26px; }
}
@keyframes turn { to { transform: rotate(1turn); } }
@media (prefers-reduced-motion: reduce) {
  *, *::before { transition: none !important; }
  .waiting .ring { animation-duration: 3s; }
  .big:hover { transform: none; }
}
`;

/** The player's style sheet. A constructed sheet needs no exception from a page's `style-src`. */
export function createPlayerStyles(): CSSStyleSheet {
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(FRAME_STYLES + CONTROL_STYLES + PANEL_STYLES);
  return sheet;
}
