// Metrics: their direction, names and number format.
import { DIRECTIONS } from "./directions.js";

const WRITTEN = {
  r2: "R²",
  rmse: "RMSE",
  mae: "MAE",
  mape: "MAPE",
  pinball_loss: "pinball loss",
  f1_weighted: "F1, weighted",
  roc_auc: "ROC AUC",
  log_loss: "log loss",
  balanced_accuracy: "balanced accuracy",
  average_precision: "average precision (PR AUC)",
  brier_score: "Brier score",
  calibration_error: "calibration error",
};

const IN_WORDS = { higher: "higher is better", lower: "lower is better", zero: "closer to zero is better" };

export const called = (metric) => WRITTEN[metric] ?? metric;

export const direction = (metric) => IN_WORDS[DIRECTIONS[metric]] ?? "";

// At most five digits that matter, and no exponent where people don't expect one.
export function shown(number) {
  if (number === null || number === undefined) return "—";
  const size = Math.abs(number);
  if (Number.isInteger(number) && size < 1e9) return number.toLocaleString("en");
  if (size !== 0 && (size < 1e-4 || size >= 1e7)) return number.toExponential(2);
  return Number(number.toPrecision(5)).toLocaleString("en", { maximumSignificantDigits: 5 });
}

export function signed(number) {
  if (number === null || number === undefined) return "—";
  return (number > 0 ? "+" : number < 0 ? "−" : "±") + shown(Math.abs(number));
}

// How much better `ours` is than `theirs`; positive is better whatever the metric's direction.
export function gain(metric, ours, theirs) {
  if (![ours, theirs].every(Number.isFinite)) return null;
  if (DIRECTIONS[metric] === "lower") return theirs - ours;
  return DIRECTIONS[metric] === "zero" ? Math.abs(theirs) - Math.abs(ours) : ours - theirs;
}

/** The metrics that the pipelines of these runs declare, the champion's first; without pipelines those that were measured. */
export function declaredMetrics(pipelines, runs) {
  const models = new Set(runs.map((run) => run.model));
  const specs = (pipelines ?? []).filter(({ name }) => models.has(name)).map(({ spec }) => spec);
  const declared = specs.flatMap(({ gate }) => [gate.champion?.metric, ...Object.keys(gate.metrics ?? {})]).filter(Boolean);
  const measured = runs.flatMap((run) => Object.keys(run.metrics));
  return [...new Set(declared.length ? declared : measured)];
}
