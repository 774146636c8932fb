// One prediction request, by the page and as a curl command.
import { post } from "../api.js";

/** Predict one row: {id, version, prediction, probabilities?, warnings, trace, seconds}. */
export async function ask(name, row) {
  const trace = random(16);
  const began = performance.now();
  // A sampled traceparent, so that the trace is recorded whatever the sampling ratio is.
  const answer = await post(`/gateway/models/${name}/predict`, { rows: [row] }, { traceparent: `00-${trace}-${random(8)}-01` });
  return {
    id: answer.id,
    version: answer.version,
    prediction: answer.predictions[0],
    probabilities: answer.probabilities?.[0],
    warnings: answer.warnings ?? [],
    trace,
    seconds: (performance.now() - began) / 1000,
  };
}

export function curl(name, row) {
  const body = JSON.stringify({ rows: [row] }).replaceAll("'", "'\\''");
  return `curl "$INTERLOCK_GATEWAY_URL/models/${name}/predict" -H "Authorization: Bearer $INTERLOCK_API_KEY" -d '${body}'`;
}

function random(size) {
  return Array.from(crypto.getRandomValues(new Uint8Array(size)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
