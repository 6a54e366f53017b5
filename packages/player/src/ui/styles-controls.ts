/** Control bar and sliders. */
export const CONTROL_STYLES = `
.controls {
  position: absolute; inset: auto 0 0; padding: 44px 12px 8px;
  background: linear-gradient(transparent, rgb(0 0 0 / 0.55) 45%, rgb(0 0 0 / 0.85));
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
.seek:hover .seek-bubble:not(:empty) { opacity: 1; }
@container (max-width: 480px) {
  .controls { padding-inline: 6px; }
  .volume-slider, .volume:hover .volume-slider, .volume:focus-within .volume-slider { width: 0; opacity: 0; margin: 0; pointer-events: none; }
  .time { padding: 0 4px; font-size: 13px; }
  .row .help { display: none; }
}
@container (max-width: 300px) { .row .stats, .row .loop { display: none; } }
`;
