// Convergence of a promotion: state of each gateway worker, with the errors of failed loads.
import { html } from "../vendor/preact.js";
import { Badge } from "./badge.js";
import { VersionLink } from "./stage.js";
import { Table } from "./table.js";
import { Ago } from "./time.js";

const LAMPS = { serving: "proven", failed: "refused", waiting: "waiting", unloaded: "" };
const WORDS = { serving: "serving", failed: "load failed", waiting: "loading", unloaded: "loads on demand" };

/** "4 of 4 workers", as a lamp; `rollout` is a list's counts, or the whole. */
export function RolloutBadge({ rollout }) {
  if (!rollout) return html`<span class="faint">–</span>`;
  const failed = rollout.failed > 0 || rollout.by_worker?.some((each) => each.state === "failed");
  const lamp = rollout.converged ? "proven" : failed ? "refused" : "waiting";
  return html`<${Badge} state="serving" lamp=${lamp}>${rollout.serving} of ${rollout.workers} ${rollout.workers === 1 ? "worker" : "workers"}<//>`;
}

/** A cell for each worker, and the same as a table. */
export function Rollout({ rollout }) {
  const columns = [
    { title: "Worker", cell: (each) => html`<span class="mono">${each.worker}</span>` },
    { title: "State", cell: (each) => html`<${Badge} state=${each.state} lamp=${LAMPS[each.state]}>${WORDS[each.state] ?? each.state}<//>`, tight: true },
    { title: "Version", cell: (each) => html`<${VersionLink} model=${rollout.model} version=${each.version} />`, right: true },
    { title: "Since", cell: (each) => html`<${Ago} at=${each.since} />`, right: true, tight: true },
  ];
  const failures = [...new Set(rollout.by_worker.map((each) => each.failure).filter(Boolean))];
  return html`<div class="stack">
    <div class="workers" aria-hidden="true">${rollout.by_worker.map((each) => html`<i class=${LAMPS[each.state]} title="${each.worker}: ${WORDS[each.state]}"></i>`)}</div>
    ${failures.map((failure) => html`<div class="notice refused">${failure}</div>`)}
    <${Table} caption="Gateway workers" columns=${columns} rows=${rollout.by_worker} id=${(each) => each.worker} />
  </div>`;
}
