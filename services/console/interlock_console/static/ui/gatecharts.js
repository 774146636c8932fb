// Charts of the gate report, and a metric's trend over versions.
import { html } from "../vendor/preact.js";
import { Bars, Chart, Histogram, Matrix, Plot, Roc, Scatter } from "../charts.js";
import { called, direction, shown } from "./metrics.js";

const binned = ({ edges, counts }) => counts.map((count, place) => ({ from: edges[place], to: edges[place + 1], count }));

/** The sentence for rows that a histogram's bins leave out. */
function outside({ below = 0, above = 0 }) {
  return below + above ? `; ${below + above} rows are outside the bins` : "";
}

/** How the gain is distributed over the resamples, with its lower bound and the line that this has to pass. */
export function Gains({ report }) {
  const { champion, confidence, metric, min_improvement: asked = 0 } = report;
  const sure = champion.lower > asked;
  const bins = binned(champion.resampled);
  const colour = sure ? "var(--proven)" : "var(--refused)";
  const lines = [
    { at: asked ?? 0, is: "required", stroke: "var(--ink-soft)" },
    { at: champion.lower, is: "lower bound", stroke: colour },
    { at: champion.gain, is: "gain", stroke: "var(--series-1)" },
  ];
  const draw = (width) => ({
    width,
    x: { label: `gain in ${called(metric)} over version ${champion.version}`, domain: ends([...lines.map((line) => line.at), ...champion.resampled.edges]) },
    y: { label: "resamples", grid: true },
    marks: [
      Plot.rectY(bins, { x1: "from", x2: "to", y: "count", fill: "var(--series-1)", fillOpacity: 0.35, insetLeft: 0.5, insetRight: 0.5 }),
      Plot.ruleX(lines, { x: "at", stroke: "stroke", strokeWidth: 2 }),
      Plot.text(lines, { x: "at", text: "is", frameAnchor: "top", rotate: -90, textAnchor: "end", dx: -7, fill: "var(--ink)" }),
      Plot.ruleY([0]),
    ],
  });
  const words = `With ${Math.round(confidence * 100)} % confidence the gain is above ${shown(champion.lower)}, which ${sure ? "exceeds" : "does not exceed"} the required ${shown(asked)}`;
  return html`<${Chart} caption=${words} draw=${draw} table=${{ head: ["from", "to", "resamples"], rows: bins.map((bin) => [bin.from, bin.to, bin.count]) }} />`;
}

function ends(values) {
  return [Math.min(...values), Math.max(...values)];
}

/** One metric in each value of a column; the tick is the champion's on the same rows. */
export function Slices({ column, slices, metric }) {
  const bars = slices
    .filter((slice) => slice.metrics[metric] !== null)
    .map((slice) => ({ label: `${slice.value} (${slice.rows})`, value: slice.metrics[metric], before: slice.champion?.[metric] ?? undefined }));
  const compared = bars.some((bar) => bar.before !== undefined);
  return html`<${Bars} caption="${called(metric)} by ${column}${compared ? "; the tick marks the champion on the same rows" : ""}" bars=${bars} x=${`${called(metric)}, ${direction(metric)}`} />`;
}

/** Whatever the report holds of the holdout's rows; `of` names the version where two stand side by side. */
export function HoldoutPlots({ report, target = "target", of = "" }) {
  const { predicted, residuals, confusion, roc = [] } = report.plots ?? {};
  const ours = of && ` of ${of}`;
  const curves = roc.map((curve) => ({
    name: `${curve.label} (area ${curve.auc.toFixed(3)})`,
    points: curve.false_positive_rate.map((fpr, place) => ({ fpr, tpr: curve.true_positive_rate[place] })),
  }));
  return html`
    ${predicted && html`<div class="card"><${Scatter} caption="Predicted against actual ${target}${ours}: ${predicted.actual.length} of ${predicted.rows.toLocaleString("en")} held-out rows"
      points=${predicted.actual.map((x, place) => ({ x, y: predicted.predicted[place] }))} x="actual" y="predicted" diagonal /></div>`}
    ${residuals && html`<div class="card"><${Histogram} caption="Residuals${ours}, predicted minus actual${outside(residuals)}" bins=${binned(residuals)} x=${target} y="rows" /></div>`}
    ${curves.length > 0 && html`<div class="card"><${Roc} caption="ROC${ours}: ${curves.length === 1 ? curves[0].name : `the ${curves.length} most frequent labels`}" curves=${curves} /></div>`}
    ${confusion && html`<div class=${confusion.labels.length > 6 ? "card whole" : "card"}><${Matrix} caption="Confusion matrix${ours}: held-out rows by label and prediction${pooled(confusion)}" labels=${confusion.labels} counts=${confusion.counts} /></div>`}`;
}

function pooled({ pooled: many, unknown = [] }) {
  const strange = unknown.reduce((a, b) => a + b, 0);
  const words = [many && `the ${many} rarest labels are pooled`, strange && `${strange} rows have a label unknown to the model`].filter(Boolean);
  return words.length ? `; ${words.join("; ")}` : "";
}

/** A metric from version to version: what served is filled. */
export function Trend({ versions, metric }) {
  const points = versions.filter((each) => Number.isFinite(each.metrics[metric])).map((each) => ({ version: each.version, value: each.metrics[metric], served: ["champion", "retired"].includes(each.stage), stage: each.stage })).reverse();
  const draw = (width) => ({
    width,
    height: 200,
    x: { label: "version", tickFormat: "d", ticks: Math.min(points.length, Math.floor(width / 50)), inset: 10 },
    y: { label: called(metric), grid: true, nice: true, inset: 6 },
    marks: [
      Plot.line(points, { x: "version", y: "value", stroke: "var(--line-strong)" }),
      Plot.dot(points, { x: "version", y: "value", r: 5, stroke: "var(--series-1)", strokeWidth: 1.5, fill: (each) => (each.served ? "var(--series-1)" : "var(--surface)"), tip: true }),
    ],
  });
  return html`<${Chart} caption="${called(metric)} of each version on its holdout, ${direction(metric)}; filled if it has served" draw=${draw}
    table=${{ head: ["version", called(metric), "stage"], rows: points.map((each) => [each.version, each.value, each.stage]) }} />`;
}
