// What happened lately: runs in progress, versions that wait for an approval, failures.
import { html } from "../vendor/preact.js";
import { Badge } from "./badge.js";
import { progressInWords } from "./progress.js";
import { VersionLink, versionPath } from "./stage.js";
import { Table } from "./table.js";
import { Ago, Lasted } from "./time.js";

export const RunLink = ({ run }) => html`<a class="mono" href="/runs/${run.run_id}">${run.run_id.slice(0, 8)}</a>`;

/** What became of a run's model where that is known, else the run's state. */
export function Outcome({ run: { state, outcome } }) {
  const told = outcome && outcome !== "none" ? outcome : state;
  return html`<${Badge} state=${told}>${told === "waiting" ? "awaiting approval" : undefined}<//>`;
}

export function Waiting({ runs }) {
  const columns = [
    { title: "Model", cell: (run) => html`<a href="/models/${run.model}"><strong>${run.model}</strong></a>` },
    { title: "Version", cell: (run) => html`<${VersionLink} model=${run.model} version=${run.version} />`, tight: true },
    { title: "Run", cell: (run) => html`<${RunLink} run=${run} />`, tight: true },
    { title: "Passed the gate", cell: (run) => html`<${Ago} at=${run.ended} />`, right: true, tight: true },
    { title: "Review", cell: (run) => html`<a class="button" href=${versionPath(run.model, run.version)}>Review</a>`, right: true, tight: true },
  ];
  return html`<section class="card flush"><h2>Awaiting approval</h2>
    <${Table} caption="Versions that await approval" columns=${columns} rows=${runs} id=${(run) => run.run_id} />
  </section>`;
}

export function InProgress({ runs }) {
  const columns = [
    { title: "Run", cell: (run) => html`<${RunLink} run=${run} />`, tight: true },
    { title: "Model", cell: (run) => html`<a href="/models/${run.model}">${run.model}</a>`, tight: true },
    { title: "State", cell: (run) => html`<${Badge} state=${run.state} />`, tight: true },
    { title: "Progress", cell: (run) => html`<span class="soft">${progressInWords(run.progress)}</span>` },
    { title: "Duration", cell: (run) => html`<${Lasted} start=${run.started} />`, right: true, tight: true },
  ];
  return html`<section class="card flush"><h2>Runs in progress</h2>
    ${runs.length
      ? html`<${Table} caption="Runs in progress" columns=${columns} rows=${runs} id=${(run) => run.run_id} />`
      : html`<p class="foot soft">None. A run starts when data is ingested, or on request; <a href="/runs">all runs</a>.</p>`}
  </section>`;
}

/** What each kind of failure is called, and where it leads. */
const KINDS = {
  "training.failed": [({ data }) => (data.outcome === "timed_out" ? "training timed out" : "training failed"), (event) => `/runs/${event.run_id}`],
  "evaluation.failed": [({ data }) => `version ${data.version} refused`, (event) => versionPath(event.model, event.data.version)],
  "dataset.rejected": [() => "file rejected", (event) => (event.data.digest ? `/datasets/${event.model}/${event.data.digest}` : "/datasets")],
  "model.load_failed": [({ data }) => `version ${data.version} failed to load`, (event) => versionPath(event.model, event.data.version)],
};

export function Failures({ events, hours, more }) {
  const columns = [
    { title: "Failure", cell: (event) => html`<a href=${KINDS[event.type][1](event)}>${KINDS[event.type][0](event)}</a>`, tight: true },
    { title: "Model", cell: (event) => html`<a href="/models/${event.model}">${event.model}</a>`, tight: true },
    { title: "Reason", cell: (event) => html`<span class="soft reason">${reasonOf(event.data)}</span>` },
    { title: "Time", cell: (event) => html`<${Ago} at=${event.time} />`, right: true, tight: true },
  ];
  return html`<section class="card flush"><h2>Failed in the last ${hours} hours</h2>
    ${events.length
      ? html`<${Table} caption="Failures, newest first" columns=${columns} rows=${events.filter((event) => event.type in KINDS)} id=${(event) => event.id} />`
      : html`<p class="foot soft">None. For earlier failures see <a href=${more}>the list of runs</a>.</p>`}
  </section>`;
}

function reasonOf({ reason, reasons = [] }) {
  const told = reason ?? (typeof reasons[0] === "string" ? reasons[0] : reasons[0]?.message) ?? "";
  return reasons.length > 1 ? `${told}, and ${reasons.length - 1} more` : told;
}
