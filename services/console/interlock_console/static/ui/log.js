// Log of a run's training: loaded when it is opened, and again on every event of the run until it is complete.
import { html, useEffect, useState } from "../vendor/preact.js";
import { address, get } from "../api.js";
import { Loaded, useData } from "./data.js";

export function TrainingLog({ run }) {
  const [open, setOpen] = useState(false);
  return html`<section class="card" aria-label="Log"><h2>Log</h2>
    <details onToggle=${(event) => setOpen(event.target.open)}><summary>What the training printed</summary>
      ${open && html`<${Opened} run=${run} />`}
    </details>
  </section>`;
}

function Opened({ run }) {
  const [attempt, choose] = useState("");
  const log = useData(() => get(address(`/gateway/runs/${run.run_id}/logs`, { attempt })), [run.run_id, attempt]);
  const complete = log.data?.headers.get("Interlock-Log-Complete") === "true";
  useEffect(() => {
    if (log.data && !complete) log.reload();
  }, [run]);
  return html`<div class="stack">
    ${run.attempt > 1 && html`<div class="row"><label for="log-attempt">Attempt</label><select id="log-attempt" value=${attempt} onChange=${(event) => choose(event.target.value)}>
      ${Array.from({ length: run.attempt }, (_, index) => run.attempt - index).map((number, index) => html`<option value=${index ? number : ""}>${number}</option>`)}
    </select></div>`}
    <${Loaded} of=${log}>${({ text }) => html`
      ${text ? html`<pre class="json log" tabindex="0" aria-label="Log of the training">${text}</pre>` : html`<p class="soft">Nothing printed yet.</p>`}
      ${!complete && html`<div class="row"><span class="soft">More may follow.</span><button type="button" onClick=${log.reload}>Refresh</button></div>`}`}<//>
  </div>`;
}
