/** Control bar and sliders. */
export const CONTROL_STYLES = `
.controls {
  position: absolute; inset: auto 0 0; padding: 44px 12px 8px;
  background: linear-gradient(transparent, rgb(0 0 0 / 0.66) 40%, rgb(0 0 0 / 0.88));
  transition: opacity 0.2s, transform 0.2s;
}
.frame.quiet .controls { opacity: 0; transform: translateY(8px); }
.frame.quiet .controls:focus-within { opacity: 1; transform: none; }
.row { display: flex; align-items: center; gap: 4px; }
.spacer { flex: 1; }
.row button, .panel button {
  width: 40px; height: 40px; border: 0; border-radius: 8px; background: none; cursor: pointer;
  display: grid; place-items: center; flex: none; padding: 0;
}
.row button:hover, .panel button:hover { background: rgb(255 255 255 / 0.16); }
.row .choice { width: auto; min-width: 44px; padding: 0 6px; font-weight: 600; font-variant-numeric: tabular-nums; }
.choice-box { position: relative; }
.choice-menu {
  position: absolute; bottom: 46px; right: 0; display: grid; padding: 6px; border-radius: 10px; min-width: 112px;
  max-height: min(344px, 52cqi); overflow: auto; background: rgb(8 12 18 / 0.96); border: 1px solid rgb(255 255 255 / 0.14);
}
.row .choice-menu button { width: 100%; height: 32px; padding: 0 12px 0 30px; place-items: center start; position: relative; }
.row .choice-menu button:focus-visible { outline-offset: -3px; box-shadow: none; }
.choice-menu button[aria-checked="true"]::before {
  content: ""; position: absolute; left: 13px; top: 9px; width: 5px; height: 10px;
  border: solid var(--accent); border-width: 0 2px 2px 0; transform: rotate(45deg);
}
.loop-part { position: absolute; top: 3px; height: 4px; min-width: 3px; border-radius: 2px; background: #fbbf24; pointer-events: none; }
.chapters i { position: absolute; top: 2px; width: 3px; height: 6px; margin-left: -1px; background: #fff; box-shadow: 0 0 2px #000; pointer-events: none; }
.thumbnail { display: block; margin: 2px -5px 4px; border-radius: 4px; }
.row button[aria-pressed="true"] { color: var(--accent); }
.time { font-variant-numeric: tabular-nums; padding: 0 8px; white-space: nowrap; text-shadow: 0 1px 2px #000; }
.volume { display: flex; align-items: center; }
.volume-slider { width: 0; opacity: 0; transition: width 0.15s, opacity 0.15s; }
.volume:hover .volume-slider, .volume:focus-within .volume-slider { width: 84px; opacity: 1; margin-right: 6px; }

.slider { appearance: none; background: none; margin: 0; height: 24px; cursor: pointer; }
.slider:disabled { cursor: default; }
.slider::-webkit-slider-runnable-track { height: 4px; border-radius: 2px; background: var(--fill); }
.slider::-moz-range-track { height: 4px; border-radius: 2px; background: var(--fill); }
.slider::-webkit-slider-thumb {
  appearance: none; width: 14px; height: 14px; margin-top: -5px; border: 0; border-radius: 50%; background: #fff;
}
.slider::-moz-range-thumb { width: 14px; height: 14px; border: 0; border-radius: 50%; background: #fff; }
.slider:disabled::-webkit-slider-thumb { visibility: hidden; }
.volume-slider {
  --fill: linear-gradient(90deg, #fff calc(var(--played, 1) * 100%), rgb(255 255 255 / 0.35) 0);
}
.seek { position: relative; display: flex; }
.seek-slider {
  width: 100%;
  --fill: linear-gradient(90deg, var(--accent) calc(var(--played, 0) * 100%),
    rgb(255 255 255 / 0.6) 0 calc(max(var(--played, 0), var(--buffered, 0)) * 100%), rgb(255 255 255 / 0.28) 0);
}
.seek:hover .seek-slider::-webkit-slider-runnable-track { height: 6px; }
.seek:hover .seek-slider::-webkit-slider-thumb { margin-top: -4px; background: var(--accent); }
.seek-bubble {
  position: absolute; bottom: 26px; left: clamp(26px, calc(var(--hover, 0) * 100%), calc(100% - 26px));
  translate: -50% 0; padding: 3px 8px; border-radius: 6px; background: var(--shade);
  font-variant-numeric: tabular-nums; font-size: 13px; opacity: 0; pointer-events: none;
}
.seek:hover .seek-bubble { opacity: 1; }
.seek-bubble { text-align: center; white-space: nowrap; }
@container (max-width: 480px) {
  .controls { padding-inline: 6px; }
  .volume-slider, .volume:hover .volume-slider, .volume:focus-within .volume-slider { width: 0; opacity: 0; margin: 0; pointer-events: none; }
  .time { padding: 0 4px; font-size: 13px; }
  .row .help { display: none; }
}
@container (max-width: 560px) { .row .stats, .row .link, .row .language { display: none; } }
@container (max-width: 400px) { .row .loop { display: none; } }
@container (min-width: 2400px) {
  .row button { width: 64px; height: 64px; }
  .row .icon { width: 36px; height: 36px; }
  .row .choice, .time, .row .choice-menu button { font-size: 22px; }
  .row .choice-menu button { height: 48px; padding-left: 44px; }
  .choice-menu { bottom: 72px; min-width: 180px; max-height: 620px; }
  .volume:hover .volume-slider, .volume:focus-within .volume-slider { width: 140px; }
}
@container (max-width: 300px) { .row .stats, .row .loop { display: none; } }
`;
