// In which direction each metric is better. Made from the contracts by `make contracts`; do not edit.
export const DIRECTIONS = {
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
