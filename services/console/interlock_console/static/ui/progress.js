import { called } from "./metrics.js";

/** Progress of a training in words, from {stage, trials_done, trials_total, best_score, metric}. */
export function progressInWords(progress) {
  if (!progress) return "";
  const { stage, trials_done: done, trials_total: total, best_score: best, metric } = progress;
  const words = [String(stage).replaceAll("_", " ")];
  if (total) words.push(`${done} of ${total} trials`);
  if (best !== null && best !== undefined) words.push(`best ${metric ? called(metric) : "score"} ${Number(best.toPrecision(4))}`);
  return words.join(" · ");
}
