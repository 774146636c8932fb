// Charts of the gate report, and a metric's trend over versions.
import { html } from "../vendor/preact.js";
import { Bars, Chart, Curves, Histogram, Matrix, Plot, Scatter, wholeTicks } from "../charts.js";
import { called, direction, gain, shown, signed } from "./metrics.js";
import { stageInWords } from "./stage.js";

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
  const lines = [
    { at: asked ?? 0, is: "required", colour: "var(--ink-soft)" },
    { at: champion.lower, is: "lower bound", colour: sure ? "var(--proven)" : "var(--refused)" },
    { at: champion.gain, is: "gain", colour: "var(--series-2)" },
  ].filter(({ at }) => Number.isFinite(at));
  const legend = lines.map(({ at, is, colour }) => ({ name: `${is} ${at ? signed(at) : 0}`, colour, mark: "line" }));
  const draw = (width) => ({
    width,
    x: { label: `gain in ${called(metric)} over version ${champion.version}`, domain: ends([...lines.map((line) => line.at), ...champion.resampled.edges]) },
    y: { label: "bootstrap resamples", grid: true },
    marks: [
      Plot.rectY(bins, { x1: "from", x2: "to", y: "count", fill: "var(--series-1)", fillOpacity: 0.45, inset: width > 500 ? 0.5 : 0 }),
      Plot.ruleX(lines, { x: "at", stroke: ({ colour }) => colour, strokeWidth: 2 }),
      Plot.ruleY([0]),
    ],
  });
  const words = `With ${Math.round(confidence * 100)} % confidence the gain is above ${shown(champion.lower)}, which ${sure ? "exceeds" : "does not exceed"} the required ${shown(asked)}`;
  return html`<${Chart} caption=${words} draw=${draw} table=${{ head: ["from", "to", "resamples"], rows: bins.map((bin) => [bin.from, bin.to, bin.count]) }} legend=${legend} />`;
}

function ends(values) {
  return [Math.min(...values), Math.max(...values)];
}

/** One metric in each value of a column, the weakest first; the tick is the champion's on the same rows. */
export function Slices({ column, slices, metric, confidence }) {
  const bars = slices
    .filter((slice) => Number.isFinite(slice.metrics[metric]))
    .sort((a, b) => gain(metric, a.metrics[metric], b.metrics[metric]))
    .map((slice) => ({ label: `${slice.value} (${slice.rows.toLocaleString("en")})`, value: slice.metrics[metric], before: slice.champion?.[metric] ?? undefined, low: slice.interval?.[0], high: slice.interval?.[1] }));
  const within = slices.some((slice) => slice.interval) && confidence ? `; lines: ${Math.round(confidence * 100)} % interval` : "";
  return html`<${Bars} caption="${called(metric)} by ${column} (rows), the weakest first${within}" bars=${bars} x=${`${called(metric)}, ${direction(metric)}`} compared="champion on the same rows" />`;
}

const MOST_FEATURES = 15;

/** How much worse the metric gets with each feature shuffled; the line is one standard deviation to either side. */
export function Importance({ importance: { metric, rows, repeats, features, omitted } }) {
  const drawn = features.slice(0, MOST_FEATURES).map((each) => ({ ...each, low: each.mean - each.deviation, high: each.mean + each.deviation }));
  const more = features.length - drawn.length;
  const labels = 16 + 6.5 * Math.max(4, ...drawn.map(({ feature }) => feature.length));
  const draw = (width) => {
    const margin = Math.min(labels, width * 0.4);
    return {
      width,
      height: 44 + drawn.length * 24,
      marginLeft: margin,
      marginRight: 24,
      x: { label: `loss of ${called(metric)}`, grid: true, ticks: Math.max(2, Math.floor(width / 90)) },
      y: { label: null, domain: drawn.map(({ feature }) => feature), tickFormat: (name) => (name.length * 6.5 + 16 > margin ? `${name.slice(0, Math.floor(margin / 6.5) - 3)}…` : name) },
      marks: [
        Plot.barX(drawn, { x: "mean", y: "feature", fill: "var(--series-1)", insetTop: 3, insetBottom: 3, title: (each) => `${each.feature}: ${shown(each.mean)} ± ${shown(each.deviation)}`, tip: true }),
        Plot.ruleY(drawn, { x1: "low", x2: "high", y: "feature", stroke: "var(--ink)", strokeWidth: 1.5 }),
        Plot.ruleX([0]),
      ],
    };
  };
  const left = [more > 0 && `${more} more in the table`, omitted > 0 && `${omitted} not measured`].filter(Boolean).map((words) => `; ${words}`).join("");
  return html`<${Chart} caption="Permutation importance: how much worse ${called(metric)} gets with a feature shuffled, mean and standard deviation of ${repeats} shufflings of ${rows.toLocaleString("en")} held-out rows${left}" draw=${draw}
    table=${{ head: ["feature", "mean", "standard deviation"], rows: features.map((each) => [each.feature, each.mean, each.deviation]) }} />`;
}

/** Whatever the report holds of the holdout's rows; `of` names the version where two stand side by side. */
export function HoldoutPlots({ report, target = "", of = "" }) {
  const importance = report.importance?.features.length ? report.importance : null;
  const { predicted, residuals, confusion, roc = [], calibration = [] } = report.plots ?? {};
  const ours = of && ` of ${of}`;
  const curves = roc.map((curve) => ({
    name: `${curve.label} (area ${curve.auc.toFixed(3)})`,
    points: curve.false_positive_rate.map((x, place) => ({ x, y: curve.true_positive_rate[place] })),
  }));
  const precision = roc.map((curve) => ({ name: `${curve.label} (${curve.rows.toLocaleString("en")} rows)`, points: precisionRecall(curve, report.rows) }));
  const whose = (drawn) => (drawn.length === 1 ? drawn[0].name : `the ${drawn.length} most frequent labels`);
  return html`
    ${predicted && html`<div class="card"><${Scatter} caption="Predicted against actual${target && ` ${target}`}${ours}: ${predicted.actual.length} of ${predicted.rows.toLocaleString("en")} held-out rows"
      points=${predicted.actual.map((x, place) => ({ x, y: predicted.predicted[place] }))} x="actual" y="predicted" diagonal /></div>`}
    ${residuals && html`<div class="card"><${Histogram} caption="Residuals${ours}, predicted minus actual${outside(residuals)}" bins=${binned(residuals)} x=${["residual", target].filter(Boolean).join(" in ")} y="rows" /></div>`}
    ${curves.length > 0 && html`<div class="card"><${Curves} caption="ROC${ours}: ${whose(curves)}" curves=${curves} x="false positive rate" y="true positive rate" diagonal /></div>
      <div class="card"><${Curves} caption="Precision and recall${ours}: ${whose(precision)}" curves=${precision} x="recall" y="precision" /></div>`}
    ${calibration.length > 0 && html`<div class="card"><${Curves} caption="Calibration${ours}: how often predictions were right, by their probability" curves=${[{ name: "predictions", points: reliability(calibration) }]} x="probability of the predicted label" y="share that was right" diagonal dots /></div>`}
    ${confusion && html`<div class=${confusion.labels.length > 6 ? "card whole" : "card"}><${Matrix} caption="Confusion matrix${ours}: held-out rows by label and prediction${pooled(confusion)}" labels=${confusion.labels} counts=${confusion.counts} /></div>`}
    ${importance && html`<div class="card"><${Importance} importance=${importance} /></div>`}`;
}

/** Points of the precision-recall curve from those of the ROC curve: both follow from the same counts at each threshold. */
function precisionRecall({ rows: positive, false_positive_rate: alarms, true_positive_rate: hits }, rows) {
  return hits.flatMap((recall, place) => {
    const [right, wrong] = [recall * positive, alarms[place] * (rows - positive)];
    return right + wrong ? [{ x: recall, y: right / (right + wrong) }] : [];
  });
}

const reliability = (bins) => bins.map(({ rows, confidence, accuracy }) => ({ x: confidence, y: accuracy, title: `${rows.toLocaleString("en")} rows: ${shown(confidence)} expected, ${shown(accuracy)} right` }));

function pooled({ pooled: many, unknown = [] }) {
  const strange = unknown.reduce((a, b) => a + b, 0);
  const words = [many && `the ${many} rarest labels are pooled`, strange && `${strange} rows have a label unknown to the model`].filter(Boolean);
  return words.length ? `; ${words.join("; ")}` : "";
}

/**
 * A metric of each version beside that of the champion which it was measured against, on the same rows.
 * Two versions have different rows, so nothing is drawn between them.
 */
export function Trend({ versions, metric }) {
  const points = versions
    .filter((each) => Number.isFinite(each.metrics[metric]))
    .map((each) => ({ version: each.version, value: each.metrics[metric], champion: each.champion_metrics?.[metric], against: each.against, stage: each.stage }))
    .reverse();
  const paired = points.filter((each) => Number.isFinite(each.champion));
  const served = ({ stage }) => ["champion", "retired"].includes(stage);
  const title = (each) => `v${each.version}: ${shown(each.value)}${Number.isFinite(each.champion) ? `; v${each.against} on the same rows: ${shown(each.champion)}` : ""}`;
  const draw = (width) => ({
    width,
    height: 200,
    x: { label: "version", ticks: wholeTicks(points[0].version, points.at(-1).version, width), tickFormat: "d", inset: 12 },
    y: { label: called(metric), grid: true, nice: true, inset: 8 },
    marks: [
      Plot.ruleX(paired, { x: "version", y1: "champion", y2: "value", stroke: "var(--line-strong)", strokeWidth: 1.5 }),
      Plot.dot(paired, { x: "version", y: "champion", symbol: "diamond", r: 5, fill: "var(--series-2)" }),
      Plot.dot(points, { x: "version", y: "value", r: 5, stroke: "var(--series-1)", strokeWidth: 1.5, fill: (each) => (served(each) ? "var(--series-1)" : "var(--surface)"), title, tip: true }),
    ],
  });
  const legend = [
    { name: "version that has served", colour: "var(--series-1)", mark: "dot" },
    { name: "version that has not", colour: "var(--series-1)", mark: "ring" },
    ...(paired.length ? [{ name: "champion at that time, on the same rows", colour: "var(--series-2)", mark: "diamond" }] : []),
  ];
  return html`<${Chart} caption="${called(metric)} of each version on its own held-out rows, ${direction(metric)}; two versions may have different rows" draw=${draw} legend=${legend}
    table=${{ head: ["version", called(metric), "champion", "champion on the same rows", "stage"], rows: points.map((each) => [each.version, each.value, each.against ? `v${each.against}` : "–", each.champion ?? "–", stageInWords(each.stage)]) }} />`;
}
