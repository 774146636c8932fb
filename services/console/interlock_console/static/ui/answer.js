// What a model has answered, and what it answered before.
import { html } from "../vendor/preact.js";
import { Bars } from "../charts.js";
import { Facts } from "./head.js";
import { brief } from "./numbers.js";
import { Table } from "./table.js";
import { duration } from "./time.js";

const CLASSES_SHOWN = 10;

export function Answer({ answer, name, version, target }) {
  if (!answer) {
    return html`<section class="card stack" aria-label="Answer"><h2>${target}</h2>
      <p class="soft">Version ${version} serves. The fields hold an ordinary row of the data that it learned from; change them and ask.</p>
    </section>`;
  }
  return html`<section class="card stack" aria-label="Answer" aria-live="polite"><h2>${target}</h2>
    <p class="answer">${told(answer.prediction)}</p>
    ${answer.probabilities && html`<${Probabilities} of=${answer.probabilities} />`}
    ${answer.warnings.map((warning) => html`<p class="notice waiting">${inWords(warning)}</p>`)}
    <${Facts} of=${[
      ["Version", html`<a href="/models/${name}/versions/${answer.version}">v${answer.version}</a>`],
      ["Took", duration(answer.seconds)],
      ["Its trace", html`<a class="mono" href="/traces/${answer.trace}">${answer.trace.slice(0, 12)}</a>`],
      ["Id, for feedback", html`<span class="mono">${answer.id}/0</span>`],
    ]} />
  </section>`;
}

const told = (prediction) => (typeof prediction === "number" ? brief(prediction) : String(prediction));

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

/** Earlier answers, each with the row that it was given for. */
export function Earlier({ answers }) {
  if (!answers.length) return null;
  const columns = [
    { title: "Answer", cell: (each) => told(each.prediction) },
    { title: "Version", cell: (each) => `v${each.version}`, right: true, tight: true },
    { title: "Row", cell: (each) => html`<span class="mono faint clipped">${JSON.stringify(each.row)}</span>` },
  ];
  return html`<section class="card flush" aria-label="Earlier answers"><h2>Earlier answers</h2>
    <${Table} caption="Earlier answers, newest first" columns=${columns} rows=${answers} id=${(each) => each.id} />
  </section>`;
}
