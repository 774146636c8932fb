// Models with what serves, their traffic and their last run. Numbers that nobody measured are not shown as zero.
import { html } from "../vendor/preact.js";
import { Badge } from "./badge.js";
import { Failure, Loading } from "./data.js";
import { Empty } from "./empty.js";
import { Outcome, RunLink } from "./happened.js";
import { brief, count, share } from "./numbers.js";
import { VersionLink } from "./stage.js";
import { Table } from "./table.js";
import { Ago, duration } from "./time.js";

/** `models` are the registry's, null while it cannot be asked: then the gateway's workers say what there is. */
export function ModelTraffic({ status, models, problem, hangs, runs }) {
  if (problem && !models) return html`<${Failure} problem=${problem} />`;
  if (!models && !hangs) return html`<${Loading} />`;
  const rows = rowsOf(status, models ?? [], runs);
  if (rows.length === 0 && !hangs) return html`<section class="card"><${NoModel} runs=${runs} /></section>`;
  return html`<section class="card flush"><h2>Models</h2>
    ${rows.length > 0 && html`<${Table} caption="Models" columns=${columnsFor(status)} rows=${rows} id=${(row) => row.name} to=${(row) => `/models/${row.name}`} />`}
    <p class="foot soft">${inWords(status)} ${hangs && "Models and versions are those that the gateway's workers serve, as the registry is not available."}</p>
  </section>`;
}

function rowsOf({ traffic }, models, runs) {
  const by = (list, key) => Object.fromEntries(list.map((each) => [each[key], each]));
  const [measured, known, last] = [by(traffic, "model"), by(models, "name"), by(runs, "model")];
  const names = new Set([...Object.keys(known), ...traffic.filter((each) => each.requests || Object.keys(each.versions).length).map((each) => each.model)]);
  return [...names].sort().map((name) => ({ name, serving: known[name]?.serving, known: name in known, traffic: measured[name], run: last[name] }));
}

function columnsFor({ seconds, workers }) {
  const measured = (row, cell) => (seconds && row.traffic?.requests ? cell(row.traffic) : html`<span class="faint">–</span>`);
  return [
    { title: "Model", cell: (row) => html`<a href="/models/${row.name}"><strong>${row.name}</strong></a>`, tight: true },
    { title: "Serving", cell: (row) => html`<${Serving} row=${row} workers=${workers} />`, tight: true },
    { title: "Requests/min", cell: (row) => (row.traffic?.requests || !seconds ? measured(row, ({ requests }) => brief((requests / seconds) * 60)) : html`<span class="faint">none</span>`), right: true },
    { title: "Errors", cell: (row) => measured(row, (traffic) => html`<${Errors} of=${traffic} />`), right: true, tight: true },
    { title: "Latency p50", cell: (row) => measured(row, ({ p50_seconds: p50 }) => duration(p50)), right: true, tight: true },
    { title: "p99", cell: (row) => measured(row, ({ p99_seconds: p99 }) => duration(p99)), right: true, tight: true },
    { title: "Last run", cell: ({ run }) => (run ? html`<span class="row"><${RunLink} run=${run} /><${Outcome} run=${run} /><span class="faint"><${Ago} at=${run.ended ?? run.started ?? run.requested} /></span></span>` : html`<span class="faint">none</span>`), tight: true },
  ];
}

/** The champion and how many workers serve it; what the workers serve where the registry does not say. */
function Serving({ row: { name, serving, known, traffic }, workers }) {
  const versions = traffic?.versions ?? {};
  const version = serving?.ref.version ?? (known ? null : Object.keys(versions).map(Number).sort((a, b) => b - a)[0]);
  if (!version) return html`<span class="faint">no version serves</span>`;
  const loaded = versions[version] ?? 0;
  const others = Object.keys(versions).some((each) => Number(each) !== version);
  const lamp = others ? "waiting" : "proven";
  return html`<span class="row"><${VersionLink} model=${name} version=${version} /><${Badge} state="serving" lamp=${lamp}>${others ? "swapping" : "serving"}<//>
    <span class="faint">${workers > 0 && (loaded || others ? `${loaded} of ${workers} ${workers === 1 ? "worker" : "workers"}` : "loads on demand")}</span></span>`;
}

function Errors({ of: { requests, errors, refused } }) {
  return html`<span class=${errors ? "worse" : ""}>${errors ? `${count(errors)} (${share(errors / requests)})` : "0"}</span>${refused > 0 && html` <span class="faint">and ${count(refused)} refused</span>`}`;
}

function inWords({ seconds, measured_at: at, workers }) {
  if (!at) return "Traffic is not measured: the metrics of the gateway have not been read yet.";
  if (!seconds) return "Traffic is being measured; the first numbers come within 20 seconds.";
  const over = seconds >= 90 ? `${Math.round(seconds / 60)} minutes` : `${Math.round(seconds)} seconds`;
  return html`Online predictions of the last ${over}, of ${workers} gateway ${workers === 1 ? "worker" : "workers"}, measured <${Ago} at=${at} />. Latency is estimated from a histogram; "refused" counts requests answered with status 4xx.`;
}

function NoModel({ runs }) {
  return html`<${Empty} title="No models yet" command="interlock init data.csv">
    ${runs.length > 0 ? html`There is a run: <${RunLink} run=${runs[0]} />. ` : ""}A model starts with a table: this command drafts its pipeline file; apply it, ingest the table, and the
    first training appears under <a href="/runs">Runs</a>. To see all of it first, run <code>interlock demo</code>.<//>`;
}
