// Tables of the gate report: metrics of candidate and champion, and each label's.
import { html } from "../vendor/preact.js";
import { called, direction, gain, shown, signed } from "./metrics.js";
import { VersionLink } from "./stage.js";
import { Table } from "./table.js";

/** A difference with an arrow where one side is better: `gain` is positive for better, 0 for equal, null where that is not known. */
export function Change({ difference, gain: by }) {
  if (!Number.isFinite(difference)) return html`<span class="faint">–</span>`;
  const [style, arrow, word] = by > 0 ? ["better", "▲", "better"] : by < 0 ? ["worse", "▼", "worse"] : ["", "", by === 0 ? "equal" : ""];
  return html`<span class=${style}>${signed(difference)}${arrow && html` <span aria-hidden="true">${arrow}</span>`} ${word}</span>`;
}

export function MetricName({ metric }) {
  return html`${called(metric)} <span class="faint direction">${direction(metric)}</span>`;
}

/** Every metric of the report; beside the champion's, where there was one, and the interval of the one that decides. */
export function GateMetrics({ report, version }) {
  const { metrics, metric: deciding, champion, confidence } = report;
  const theirs = champion && { ...champion.metrics, [deciding]: champion.champion };
  const partly = champion?.rows != null && champion.rows !== report.rows; // only one of the two has trained on the others
  const ours = (name) => (!partly ? metrics[name] : name === deciding ? champion.candidate : null);
  const names = Object.keys(metrics).sort((a, b) => (b === deciding) - (a === deciding));
  const bound = (name) => (name === deciding && Number.isFinite(champion.lower) ? html`gain above ${shown(champion.lower)} <span class="faint">with ${Math.round(confidence * 100)} % confidence</span>` : html`<span class="faint">–</span>`);
  const columns = [
    { title: "Metric", cell: (name) => html`<${MetricName} metric=${name} />`, pin: true },
    { title: `Candidate v${version.version}`, cell: (name) => shown(metrics[name]), right: true },
    ...(champion
      ? [
          { title: html`Champion <${VersionLink} model=${version.model} version=${champion.version} />`, cell: (name) => shown(theirs[name]), right: true },
          { title: "Change", cell: (name) => html`<${Change} difference=${[ours(name), theirs[name]].every(Number.isFinite) ? ours(name) - theirs[name] : null} gain=${gain(name, ours(name), theirs[name])} />`, right: true, tight: true },
          { title: "Interval", cell: bound },
        ]
      : []),
  ];
  const caption = partly
    ? `Metrics of the candidate on ${report.rows.toLocaleString("en")} held-out rows, of the champion on the ${champion.rows.toLocaleString("en")} that both or neither have trained on`
    : champion ? "Metrics of candidate and champion on the same held-out rows" : "Metrics on the held-out rows";
  return html`<section class="card flush"><h2>${caption}</h2>
    <${Table} caption=${caption} columns=${columns} rows=${names} id=${(name) => name} />
    ${champion && Object.keys(champion.metrics ?? {}).length === 0 && html`<p class="foot soft">An earlier release evaluated this version, and kept the champion's ${called(deciding)} only.</p>`}
  </section>`;
}

/** Precision, recall and rows of each label, from the confusion matrix; the rarest of many labels count together. */
export function PerLabel({ confusion: { labels, counts, unknown = [] } }) {
  const sum = (numbers) => numbers.reduce((a, b) => a + b, 0);
  const share = (part, whole) => (whole ? part / whole : null);
  const rows = labels.map((label, place) => {
    const [right, support] = [counts[place][place], sum(counts[place])];
    const predicted = sum(counts.map((row) => row[place])) + (unknown[place] ?? 0);
    const [precision, recall] = [share(right, predicted), share(right, support)];
    return { label, support, predicted, precision, recall, f1: share(2 * right, predicted + support) };
  });
  const number = (title, cell) => ({ title, cell, right: true });
  const columns = [
    { title: "Label", cell: (row) => html`<span class="mono">${row.label}</span>` },
    number("Rows", (row) => row.support.toLocaleString("en")),
    number("Predicted", (row) => row.predicted.toLocaleString("en")),
    number("Precision", (row) => shown(row.precision)),
    number("Recall", (row) => shown(row.recall)),
    number("F1", (row) => shown(row.f1)),
  ];
  return html`<section class="card flush"><h2>By label</h2><${Table} caption="Precision and recall by label" columns=${columns} rows=${rows} id=${(row) => row.label} /></section>`;
}
