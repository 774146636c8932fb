// Profile of one column: statistics, distribution, and comparison with the previous file.
import { html } from "../vendor/preact.js";
import { Bars, Histogram } from "../charts.js";
import { Drift } from "./moved.js";
import { brief, count, share } from "./numbers.js";

const VALUES_SHOWN = 12;

export function Column({ name, column, moved }) {
  const drifted = moved && ["moderate", "large"].includes(moved.verdict);
  return html`<article class="card stack" aria-label="Column ${name}">
    <header class="row"><h3 class="mono">${name}</h3><span class="faint">${column.type}</span>${drifted && html`<${Drift} verdict=${moved.verdict} expected=${moved.expected} />`}</header>
    <p class="soft">${inWords(column)}</p>
    <${Distribution} name=${name} column=${column} />
    ${moved?.bins.length > 0 && html`<details open=${drifted}>
      <summary>Compared with the previous file</summary>
      <${Bars} caption="${name}: share of rows" x="share of rows" compared="previous file" bars=${compared(moved.bins)} />
    </details>`}
  </article>`;
}

function inWords(column) {
  const missing = column.nulls ? `${share(column.null_fraction)} missing` : "none missing";
  const values = `${column.distinct_is === "at_least" ? "more than " : ""}${count(column.distinct)} ${column.distinct === 1 ? "value" : "values"}`;
  const parts = [missing, values];
  if (column.type === "datetime" && column.min) parts.push(`${day(column.min)} to ${day(column.max)}`);
  else if (column.min !== undefined) parts.push(`${brief(column.min)} to ${brief(column.max)}`, `mean ${brief(column.mean)}`);
  if (column.quantiles) parts.push(`median ${brief(column.quantiles["0.5"])}`);
  return parts.join(" · ");
}

const day = (time) => time.slice(0, 10);

function Distribution({ name, column }) {
  const { histogram, top } = column;
  if (top?.length) {
    const bars = top.slice(0, VALUES_SHOWN).map(({ value, count: rows }) => ({ label: value, value: rows }));
    const rest = column.other + top.slice(VALUES_SHOWN).reduce((sum, each) => sum + each.count, 0);
    return html`<${Bars} caption="${name}: rows by value" x="rows" bars=${rest ? [...bars, { label: "all others", value: rest }] : bars} />`;
  }
  if (!histogram || histogram.edges[0] === histogram.edges.at(-1)) return null;
  const edges = column.type === "datetime" ? histogram.edges.map((edge) => new Date(edge)) : histogram.edges;
  const bins = histogram.counts.map((rows, at) => ({ from: edges[at], to: edges[at + 1], count: rows }));
  const sampled = histogram.counts.reduce((sum, rows) => sum + rows, 0);
  return html`<${Histogram} caption="${name}: ${count(sampled)} rows${sampled >= 10_000 ? ", a sample," : ""} by value" bins=${bins} y="rows" whole=${column.type === "integer" && !Number.isInteger(edges[0])} />`;
}

function compared(bins) {
  const shown = bins.length > VALUES_SHOWN + 2 ? [...bins].sort((a, b) => b.before + b.now - a.before - a.now).slice(0, VALUES_SHOWN) : bins;
  return shown.map(({ label, before, now }) => ({ label, value: now, before }));
}
