// Charts of a training: score of each candidate in each fold, and of each trial of the search.
import { html } from "../vendor/preact.js";
import { Chart, Plot, wholeTicks } from "../charts.js";
import { called, direction, gain, shown } from "./metrics.js";

/** `made` is a version's training manifest. */
export function TrainingCharts({ made }) {
  const folds = (made.candidates ?? []).flatMap(({ candidate, scores = [] }) => scores.map((score, fold) => ({ candidate, fold: fold + 1, score })));
  const trials = (made.trials ?? []).filter(({ score, candidate }) => Number.isFinite(score) && (candidate ?? made.winner) === made.winner);
  const axes = searched(trials);
  const curve = (made.learning_curve ?? []).map(({ rows, scores }) => ({ rows, scores, mean: scores.reduce((sum, score) => sum + score, 0) / scores.length }));
  return html`
    ${folds.length > 0 && html`<div class="card"><${Folds} made=${made} folds=${folds} /></div>`}
    ${trials.length > 1 && html`<div class="card"><${History} made=${made} trials=${trials} /></div>`}
    ${curve.length > 1 && html`<div class="card"><${LearningCurve} made=${made} curve=${curve} /></div>`}
    ${trials.length > 1 && axes.length > 1 && html`<div class="card"><${Parallel} made=${made} trials=${trials} axes=${axes} /></div>`}`;
}

/** The parameters in which trials differ: [{name, values}], numbers in order. */
function searched(trials) {
  const names = [...new Set(trials.flatMap(({ params }) => Object.keys(params)))];
  const valuesOf = (name) => [...new Set(trials.map(({ params }) => params[name]).filter((value) => value !== undefined && value !== null))].sort((a, b) => (a > b) - (a < b));
  return names.map((name) => ({ name, values: valuesOf(name) })).filter(({ values }) => values.length > 1);
}

/** A line for each trial through its parameters and its score, each from least to greatest; the better, the stronger. */
function Parallel({ made, trials, axes }) {
  const place = (values, value) => (values.every(Number.isFinite) ? (value - values[0]) / (values.at(-1) - values[0]) : values.indexOf(value) / (values.length - 1));
  const sorted = [...trials].sort((a, b) => gain(made.metric, a.score, b.score));
  const score = { name: called(made.metric), values: [...new Set(sorted.map((trial) => trial.score))].sort((a, b) => a - b) };
  const steps = sorted.flatMap((trial, rank) => [
    ...axes.map(({ name, values }) => ({ trial, rank, axis: name, at: place(values, trial.params[name]) })),
    { trial, rank, axis: score.name, at: score.values.length > 1 ? place(score.values, trial.score) : 1 },
  ].filter(({ at }) => Number.isFinite(at) && at >= 0));
  const ends = [...axes, score].flatMap(({ name, values }) => [{ axis: name, at: 0, text: written(values[0]) }, { axis: name, at: 1, text: written(values.at(-1)) }]);
  const best = ({ rank }) => rank === sorted.length - 1;
  const width = 60 + 110 * (axes.length + 1);
  const draw = (room) => ({
    width: Math.max(room, width),
    height: 250,
    marginLeft: 40,
    marginRight: 40,
    marginTop: 30,
    marginBottom: 30,
    x: { label: null, domain: [...axes.map(({ name }) => name), score.name], axis: "top", tickSize: 0 },
    y: { axis: null, domain: [0, 1], inset: 12 },
    marks: [
      Plot.ruleX([...axes.map(({ name }) => name), score.name], { stroke: "var(--line-strong)" }),
      Plot.line(steps, { x: "axis", y: "at", z: "rank", stroke: (step) => (best(step) ? "var(--series-2)" : "var(--series-1)"), strokeWidth: (step) => (best(step) ? 2.5 : 1.2), strokeOpacity: ({ rank }) => 0.15 + (0.85 * (rank + 1)) / sorted.length, title: ({ trial }) => inWords(trial) }),
      ...[0, 1].map((end) => Plot.text(ends.filter(({ at }) => at === end), { x: "axis", y: "at", text: "text", dy: end ? -10 : 11, fill: "var(--ink)" })),
    ],
  });
  const legend = [{ name: "a trial, stronger if better", colour: "var(--series-1)", mark: "line" }, { name: "the best", colour: "var(--series-2)", mark: "line" }];
  return html`<${Chart} caption="Parameters of the trials and their ${called(made.metric)}, each axis from its least to its greatest value" draw=${draw} legend=${legend} scrolls
    table=${{ head: ["trial", ...axes.map(({ name }) => name), score.name], rows: trials.map((trial) => [trial.number, ...axes.map(({ name }) => written(trial.params[name])), trial.score]) }} />`;
}

const written = (value) => (value === undefined ? "–" : typeof value === "number" ? shown(value) : String(value));

function Folds({ made, folds }) {
  const means = made.candidates.filter(({ mean }) => Number.isFinite(mean)).sort((a, b) => gain(made.metric, b.mean, a.mean));
  const names = [...new Set([...means.map(({ candidate }) => candidate), ...folds.map(({ candidate }) => candidate)])];
  const draw = (width) => ({
    width,
    height: 60 + names.length * 30,
    marginLeft: Math.min(width * 0.45, 16 + 6.5 * Math.max(...names.map((name) => name.length))),
    marginRight: 16,
    x: { label: `${called(made.metric)}, ${direction(made.metric)}`, grid: true, nice: true, ticks: Math.max(2, Math.floor(width / 90)) },
    y: { label: null, domain: names },
    marks: [
      Plot.dot(folds, { x: "score", y: "candidate", r: 4, fill: "var(--series-1)", fillOpacity: 0.55, title: (each) => `fold ${each.fold}: ${shown(each.score)}`, tip: true }),
      Plot.tickX(means, { x: "mean", y: "candidate", stroke: "var(--series-2)", strokeWidth: 2.5, insetTop: 3, insetBottom: 3 }),
    ],
  });
  const legend = [{ name: "one fold", colour: "var(--series-1)", mark: "dot" }, { name: "mean", colour: "var(--series-2)", mark: "line" }];
  return html`<${Chart} caption="Cross-validation: ${called(made.metric)} of each candidate in ${made.folds ?? "its"} folds, the best first" draw=${draw} legend=${legend}
    table=${{ head: ["candidate", "fold", called(made.metric)], rows: folds.map((each) => [each.candidate, each.fold, each.score]) }} />`;
}

/** What more rows bring: the winner's scores on the folds, fitted on a part of their training rows and on all. */
function LearningCurve({ made, curve }) {
  const points = curve.flatMap(({ rows, scores }) => scores.map((score) => ({ rows, score })));
  const draw = (width) => ({
    width,
    x: { label: "training rows", inset: 8, ticks: Math.max(2, Math.floor(width / 90)) },
    y: { label: called(made.metric), grid: true, nice: true, inset: 6 },
    marks: [
      Plot.line(curve, { x: "rows", y: "mean", stroke: "var(--series-2)", strokeWidth: 2 }),
      Plot.dot(points, { x: "rows", y: "score", r: 4, fill: "var(--series-1)", fillOpacity: 0.55, title: (each) => `${each.rows.toLocaleString("en")} rows: ${shown(each.score)}`, tip: true }),
    ],
  });
  const legend = [{ name: "one fold", colour: "var(--series-1)", mark: "dot" }, { name: "mean", colour: "var(--series-2)", mark: "line" }];
  return html`<${Chart} caption="Learning curve: ${called(made.metric)} of ${made.winner} by the rows that it was fitted on" draw=${draw} legend=${legend}
    table=${{ head: ["training rows", "fits", "mean", "least", "greatest"], rows: curve.map(({ rows, scores, mean }) => [rows, scores.length, mean, Math.min(...scores), Math.max(...scores)]) }} />`;
}

/** Scores in the order of the trials, with the best so far as a line; a pruned trial had a part of its budget, so its score is none of a whole fit. */
function History({ made, trials }) {
  const complete = ({ state }) => state === "complete";
  let best = null;
  const line = trials.filter(complete).map(({ number, score }) => {
    if (best === null || gain(made.metric, score, best) > 0) best = score;
    return { number, best };
  });
  const draw = (width) => ({
    width,
    x: { label: "trial", ticks: wholeTicks(trials[0].number, trials.at(-1).number, width), tickFormat: "d", inset: 8 },
    y: { label: called(made.metric), grid: true, nice: true, inset: 6 },
    marks: [
      Plot.line(line, { x: "number", y: "best", stroke: "var(--series-2)", strokeWidth: 1.5, curve: "step-after" }),
      Plot.dot(trials, { x: "number", y: "score", r: 3.5, stroke: "var(--series-1)", fill: (each) => (complete(each) ? "var(--series-1)" : "var(--surface)"), title: inWords, tip: true }),
    ],
  });
  const legend = [
    { name: "completed trial", colour: "var(--series-1)", mark: "dot" },
    { name: "pruned, fitted in part", colour: "var(--series-1)", mark: "ring" },
    { name: "best so far", colour: "var(--series-2)", mark: "line" },
  ];
  return html`<${Chart} caption="Hyperparameter search around ${made.winner}: ${called(made.metric)} by trial, ${direction(made.metric)}" draw=${draw} legend=${legend}
    table=${{ head: ["trial", called(made.metric), "state", "folds", "rounds", "parameters"], rows: trials.map((each) => [each.number, each.score, each.state, each.budget?.folds ?? "", each.budget?.rounds ?? "", JSON.stringify(each.params)]) }} />`;
}

/** The best score so far of a search that goes on, or has ended without a version: `progressed` are its events, newest first. */
export function SearchProgress({ progressed }) {
  const steps = progressed.map(({ data }) => data).filter(({ attempt, best_score: best }) => attempt === progressed[0].data.attempt && Number.isFinite(best)).reverse();
  const points = [...new Map(steps.map((step) => [step.trials_done, step])).values()];
  if (points.length < 2) return null;
  const { metric } = points[0];
  const draw = (width) => ({
    width,
    x: { label: "trials done", ticks: wholeTicks(points[0].trials_done, points.at(-1).trials_done, width), tickFormat: "d", inset: 8 },
    y: { label: called(metric), grid: true, nice: true, inset: 6 },
    marks: [
      Plot.line(points, { x: "trials_done", y: "best_score", stroke: "var(--series-2)", strokeWidth: 1.5, curve: "step-after" }),
      Plot.dot(points, { x: "trials_done", y: "best_score", r: 3, fill: "var(--series-2)", title: (each) => `${each.trials_done} trials: ${shown(each.best_score)}`, tip: true }),
    ],
  });
  return html`<div class="card"><${Chart} caption="Hyperparameter search: best ${called(metric)} so far, ${direction(metric)}" draw=${draw}
    table=${{ head: ["trials done", `best ${called(metric)}`], rows: points.map((each) => [each.trials_done, each.best_score]) }} /></div>`;
}

const inWords = ({ number, score, state, params }) => [`trial ${number}, ${state}: ${shown(score)}`, ...Object.entries(params).map(([name, value]) => `${name}: ${written(value)}`)].join("\n");
