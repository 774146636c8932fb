// The scale that lanes and waterfall share: a stretch of time, in nanoseconds, as percents of a track's width.
import { html } from "../vendor/preact.js";
import { nanoseconds } from "./time.js";

const STEPS = [1, 2, 5];
const SECOND = 1e9;
const LONG = [30, 60, 120, 300, 600, 1800, 3600, 7200, 21_600, 86_400].map((seconds) => seconds * SECOND);

/** From the earliest start to the latest end, as {from, to, left(ns), width(start, end)} in percents. */
export function scale(from, to) {
  const whole = Math.max(to - from, 1);
  const percent = (ns) => `${Math.min(100, Math.max(0, (ns / whole) * 100))}%`;
  return { from, to, left: (ns) => percent(ns - from), width: (start, end) => percent(end - start) };
}

/** At most about `most` round distances from the start, in nanoseconds. */
export function ticks({ from, to }, most = 5) {
  const rough = (to - from) / most;
  const power = 10 ** Math.floor(Math.log10(Math.max(rough, 1)));
  const step = (rough > 20 * SECOND && LONG.find((each) => each >= rough)) || (STEPS.find((each) => each * power >= rough) || 10) * power;
  return Array.from({ length: Math.floor((to - from) / step) + 1 }, (_, at) => at * step);
}

/** The ruler above the tracks; a tick near the end has no room for its words. */
export function Ruler({ on }) {
  return html`<div class="ruler" aria-hidden="true">
    ${ticks(on).map((ns) => html`<span key=${ns} style=${{ left: on.left(on.from + ns) }}>${ns < 0.9 * (on.to - on.from) && (ns ? nanoseconds(ns) : "0")}</span>`)}
  </div>`;
}
