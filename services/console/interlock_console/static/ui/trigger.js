// Why a run was started, and by whom.
import { html } from "../vendor/preact.js";

export const TRIGGERS = { "dataset.ingested": "New data", "pipeline.applied": "New pipeline", "retrain.requested": "Retrain request" };

/** "event/<source>" is a request over the broker; its source is a claim of whoever sent it. */
export const requester = (by) => by?.replace(/^event\//, "by event from ");

export function Why({ run }) {
  const words = [requester(run.requested_by), run.request_reason].filter(Boolean);
  return html`${TRIGGERS[run.cause] ?? run.cause ?? html`<span class="faint">–</span>`}
    ${words.length > 0 && html`<div class="soft clipped" title=${words.join(": ")}>${words.join(": ")}</div>`}`;
}
