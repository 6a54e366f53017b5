/** Panels over the picture: statistics, keyboard help, errors. */
export const PANEL_STYLES = `
.panel {
  position: absolute; top: 12px; max-width: calc(100% - 24px); max-height: calc(100% - 108px); overflow: auto;
  background: rgb(8 12 18 / 0.9); border: 1px solid rgb(255 255 255 / 0.14); border-radius: 12px; padding: 6px 14px 14px;
  font-size: 13px; user-select: text;
}
.panel header { display: flex; align-items: center; justify-content: space-between; gap: 24px; margin-inline-end: -8px; }
.panel h2 { font-size: 14px; margin: 0; }
.panel dl { display: grid; grid-template-columns: max-content 1fr; gap: 4px 16px; margin: 0; }
.panel dt { color: #a7b4c2; }
.panel dd { margin: 0; font-variant-numeric: tabular-nums; }
.charts { display: grid; grid-template-columns: repeat(auto-fill, minmax(150px, 1fr)); gap: 6px 14px; margin: 4px 0 10px; }
.charts figure { margin: 0; }
.charts figcaption { display: flex; justify-content: space-between; font-variant-numeric: tabular-nums; }
.charts figcaption span:first-child, .charts .most { color: #a7b4c2; }
.charts .most { font-size: 0.85em; }
.charts svg { display: block; width: 100%; height: 28px; border-bottom: 1px solid rgb(255 255 255 / 0.2); }
.charts path { fill: none; stroke: var(--accent); stroke-width: 1.5; vector-effect: non-scaling-stroke; }
.decisions { margin: 8px 0 0; padding: 0; list-style: none; color: #cbd5e1; }
.decisions time { color: #a7b4c2; font-variant-numeric: tabular-nums; }
.stats-panel { inset-inline-start: 12px; width: 400px; }
.verdict span { display: block; color: #cbd5e1; }
.mode-passthrough { color: #5eead4; }
.mode-transcode { color: #fcd34d; }
.mode-unplayable { color: #fda4af; }
.help-panel { inset-inline-end: 12px; }
.help-panel .keys { gap: 6px 18px; align-items: center; }
.keys dt { display: flex; gap: 4px; }
kbd {
  font: inherit; min-width: 24px; text-align: center; padding: 1px 7px; border-radius: 5px; color: #f8fafc;
  border: 1px solid rgb(255 255 255 / 0.3); background: rgb(255 255 255 / 0.1);
}
@container (min-width: 2400px) {
  .panel { font-size: 22px; }
  .panel h2 { font-size: 24px; }
  .stats-panel { width: 680px; }
  .charts { grid-template-columns: 1fr 1fr; gap: 10px 24px; }
  .charts svg { height: 48px; }
  .charts path { stroke-width: 2.5; }
  .error-box { max-width: 900px; font-size: 24px; }
  .error-box h2 { font-size: 36px; }
}
.error { position: absolute; inset: 0; display: grid; place-items: center; background: #0a0f16; padding: 20px; overflow: auto; }
.error-box { max-width: 480px; display: grid; justify-items: center; gap: 10px; text-align: center; user-select: text; }
.error-box > .icon { width: 44px; height: 44px; color: #fbbf24; }
.error-box h2 { margin: 0; font-size: 20px; line-height: 1.25; }
.error-box p { margin: 0; color: #cbd5e1; }
.action {
  border: 0; border-radius: 10px; padding: 10px 20px; min-height: 44px; font-weight: 600; cursor: pointer;
  background: var(--accent); color: #04211d; margin-top: 4px;
}
.error-box details { color: #a7b4c2; font-size: 13px; margin-top: 4px; }
.error-box summary { cursor: pointer; padding: 4px; }
.error-box code { font-family: ui-monospace, monospace; }
.error-message { overflow-wrap: anywhere; }
@container (max-width: 480px) {
  .charts .most { display: none; }
  .charts svg { height: 20px; }
  .panel { background: #080c12; inset: 6px 6px auto; width: auto; max-width: none; max-height: calc(100% - 12px); z-index: 1; }
  .error { padding: 8px 14px; place-items: start center; }
  .error-box { gap: 6px; }
  .error-box > .icon { width: 28px; height: 28px; }
  .error-box h2 { font-size: 16px; }
  .error-box p { font-size: 13px; }
}
`;
