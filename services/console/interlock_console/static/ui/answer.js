// A prediction, and the earlier ones of this page.
import { html } from "../vendor/preact.js";
import { Bars } from "../charts.js";
import { Facts } from "./head.js";
import { brief } from "./numbers.js";
import { Table } from "./table.js";
import { duration } from "./time.js";

const CLASSES_SHOWN = 10;

export function Answer({ answer, name, version, target }) {
  if (!answer) {
    return html`<section class="card stack" aria-label="Prediction"><h2>${target}</h2>
      <p class="soft">Version ${version} is serving. The fields hold a typical row of its training data; edit them and predict.</p>
    </section>`;
  }
  return html`<section class="card stack" aria-label="Prediction" aria-live="polite"><h2>${target}</h2>
    <p class="answer">${formatted(answer.prediction)}</p>
    ${answer.probabilities && html`<${Probabilities} of=${answer.probabilities} />`}
    ${answer.warnings.map((warning) => html`<p class="notice waiting">${inWords(warning)}</p>`)}
    <${Facts} of=${[
      ["Version", html`<a href="/models/${name}/versions/${answer.version}">v${answer.version}</a>`],
      ["Latency", duration(answer.seconds)],
      ["Trace", html`<a class="mono" href="/traces/${answer.trace}">${answer.trace.slice(0, 12)}</a>`],
      ["Prediction ID (for feedback)", html`<span class="mono">${answer.id}/0</span>`],
    ]} />
  </section>`;
}

const formatted = (prediction) => (typeof prediction === "number" ? brief(prediction) : String(prediction));

function inWords(warning) {
  return typeof warning === "string" ? warning : [warning.column, warning.message].filter(Boolean).join(": ");
}

function Probabilities({ of: probabilities }) {
  const bars = Object.entries(probabilities)
    .sort(([, a], [, b]) => b - a)
    .slice(0, CLASSES_SHOWN)
    .map(([label, value]) => ({ label, value }));
  return html`<${Bars} caption="Probabilities" x="probability" bars=${bars} />`;
}

/** Earlier predictions, each with its input row. */
export function Earlier({ answers }) {
  if (!answers.length) return null;
  const columns = [
    { title: "Prediction", cell: (each) => formatted(each.prediction) },
    { title: "Version", cell: (each) => `v${each.version}`, right: true, tight: true },
    { title: "Input", cell: (each) => html`<span class="mono faint clipped">${JSON.stringify(each.row)}</span>` },
  ];
  return html`<section class="card flush" aria-label="Earlier predictions"><h2>Earlier predictions</h2>
    <${Table} caption="Earlier predictions, newest first" columns=${columns} rows=${answers} id=${(each) => each.id} />
  </section>`;
}
