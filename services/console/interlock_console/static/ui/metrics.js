// Metrics: their direction, names and number format.

const BETTER = {
  r2: "higher",
  rmse: "lower",
  mae: "lower",
  bias: "zero",
  mape: "lower",
  pinball_loss: "lower",
  accuracy: "higher",
  f1_weighted: "higher",
  roc_auc: "higher",
  log_loss: "lower",
  precision: "higher",
  recall: "higher",
  balanced_accuracy: "higher",
  average_precision: "higher",
  brier_score: "lower",
  calibration_error: "lower",
};

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

const DIRECTION = { higher: "higher is better", lower: "lower is better", zero: "closer to zero is better" };

export const called = (metric) => WRITTEN[metric] ?? metric;

export const direction = (metric) => DIRECTION[BETTER[metric]] ?? "";

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
  if (BETTER[metric] === "lower") return theirs - ours;
  return BETTER[metric] === "zero" ? Math.abs(theirs) - Math.abs(ours) : ours - theirs;
}

// What differs between two flat objects: [{name, left, right, same}], by name.
export function differences(left = {}, right = {}) {
  const names = [...new Set([...Object.keys(left ?? {}), ...Object.keys(right ?? {})])].sort();
  const text = (value) => (value === undefined ? undefined : typeof value === "string" ? value : JSON.stringify(value));
  return names.map((name) => {
    const [a, b] = [text(left?.[name]), text(right?.[name])];
    return { name, left: a, right: b, same: a === b };
  });
}

/** The metrics that the pipelines of these runs declare, the champion's first; without pipelines those that were measured. */
export function declaredMetrics(pipelines, runs) {
  const models = new Set(runs.map((run) => run.model));
  const specs = (pipelines ?? []).filter(({ name }) => models.has(name)).map(({ spec }) => spec);
  const declared = specs.flatMap(({ gate }) => [gate.champion?.metric, ...Object.keys(gate.metrics ?? {})]).filter(Boolean);
  const measured = runs.flatMap((run) => Object.keys(run.metrics));
  return [...new Set(declared.length ? declared : measured)];
}
