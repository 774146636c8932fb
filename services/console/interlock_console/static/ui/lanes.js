// Timeline of a run: one lane per stage, its steps as bars, stacked where they overlap.
import { html } from "../vendor/preact.js";
import { nanoseconds } from "./time.js";
import { Ruler, scale } from "./timeline.js";

const OPEN = new Set(["open", "waiting"]);
const LEAST = 0.015; // of the whole track: what a bar takes up, however short its step

/** `lanes` of the run view; `ended` when no more will come; open steps reach to `now`; `select(span_id)` is called on a click. */
export function Lanes({ lanes, ended, now, select }) {
  const steps = lanes.flatMap((lane) => lane.steps);
  if (!steps.length) return null;
  const end = (step) => step.end_ns ?? Math.max(now, step.start_ns);
  const on = scale(Math.min(...steps.map((step) => step.start_ns)), Math.max(...steps.map(end)));
  return html`<div class="lanes">
    <div class="lane"><span></span><${Ruler} on=${on} /></div>
    ${lanes.map((lane, at) => html`<${Lane} key=${lane.lane} lane=${lane} passed=${ended || lanes.slice(at).some((later) => later.steps.length)} on=${on} end=${end} select=${select} />`)}
  </div>`;
}

function Lane({ lane: { lane, steps }, passed, on, end, select }) {
  const rows = packed(steps, end, on);
  const last = Math.max(...steps.map(end));
  const took = steps.length ? nanoseconds(last - Math.min(...steps.map((step) => step.start_ns))) : "";
  const state = steps.some((step) => OPEN.has(step.state)) ? "open" : steps.some((step) => step.state === "failed" || step.state === "refused") ? "failed" : steps.length ? "done" : "none";
  return html`<section class="lane ${state}" aria-label=${lane}>
    <h3><span>${lane}</span><span class="faint">${took || (passed ? "–" : "not yet")}</span></h3>
    <ul class="hidden">${steps.map((step, at) => html`<li key=${at}>${inWords(step, end(step))}</li>`)}</ul>
    <div class="track" aria-hidden="true">
      ${rows.map((row, at) => html`<div class="bars" key=${at}>
        ${row.map((step) => html`<${Bar} key=${step.span_id || step.name} step=${step} on=${on} end=${end(step)} select=${select} />`)}
      </div>`)}
    </div>
  </section>`;
}

/** As wide as it lasted, so maybe too small to hit: the same span's row in the waterfall is the way for keys and fingers. */
function Bar({ step, on, end, select }) {
  const style = { left: `min(${on.left(step.start_ns)}, calc(100% - 4px))`, width: on.width(step.start_ns, end) };
  const known = step.span_id ? { onClick: () => select(step.span_id), class: `step known ${step.state}` } : { class: `step ${step.state}` };
  return html`<div ...${known} style=${style} title=${inWords(step, end)}><span>${step.name}</span></div>`;
}

function inWords(step, end) {
  const lasted = nanoseconds(end - step.start_ns);
  const words = OPEN.has(step.state) ? `${step.state}, for ${lasted}` : `${step.state}, took ${lasted}`;
  return [step.name, words, step.detail].filter(Boolean).join(": ");
}

/** Steps in as few rows as there are at one time, so that no bar hides another; what lies inside another comes below it. */
function packed(steps, end, { from, to }) {
  const least = LEAST * (to - from);
  const left = (step) => Math.min(step.start_ns, to - least);
  const right = (step) => Math.max(end(step), left(step) + least);
  const rows = [];
  for (const step of [...steps].sort((a, b) => a.start_ns - b.start_ns || end(b) - end(a))) {
    const row = rows.find((each) => right(each.at(-1)) <= left(step) && (each[0].depth ?? 0) === (step.depth ?? 0));
    if (row) row.push(step);
    else rows.push([step]);
  }
  return rows.sort((a, b) => (a[0].depth ?? 0) - (b[0].depth ?? 0));
}
