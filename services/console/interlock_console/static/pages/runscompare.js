// Several runs side by side: outcome, metrics, winner and parameters, data, code and environment.
import { html } from "../vendor/preact.js";
import { get } from "../api.js";
import { written } from "../ui/about.js";
import { Badge } from "../ui/badge.js";
import { Loaded, useData } from "../ui/data.js";
import { Empty } from "../ui/empty.js";
import { Head } from "../ui/head.js";
import { MetricName } from "../ui/gatemetrics.js";
import { Outcome, RunLink } from "../ui/happened.js";
import { gain, shown } from "../ui/metrics.js";
import { VersionLink } from "../ui/stage.js";
import { Table } from "../ui/table.js";
import { Ago, Lasted } from "../ui/time.js";
import { TRIGGERS, requester } from "../ui/trigger.js";

async function load(ids) {
  return await Promise.all(ids.map(async (id) => {
    const run = await get(`/view/runs/${id}`);
    return { run, ...(await detailsOf(run)) };
  }));
}

/** What the registry knows of the run's version; `problem` where it cannot be asked. */
async function detailsOf({ model, version }) {
  if (!version) return {};
  try {
    return { version: await get(`/gateway/models/${model}/versions/${version}`) };
  } catch (problem) {
    return { problem };
  }
}

export default function CompareRuns({ query: { runs = "" } }) {
  const ids = [...new Set(runs.split(",").filter(Boolean))];
  const loaded = useData(() => load(ids), [runs]);
  return html`
    <${Head} title="Compare runs" trail=${[["Runs", "/runs"]]} />
    ${ids.length < 2
      ? html`<div class="card"><${Empty} title="Fewer than two runs">Select two or more in the <a href="/runs">list of runs</a>.<//></div>`
      : html`<${Loaded} of=${loaded}>${(all) => html`<${Compared} all=${all} />`}<//>`}`;
}

function Compared({ all }) {
  const unknown = all.find((each) => each.problem)?.problem;
  const details = all.map(({ version }) => version?.details ?? {});
  return html`<div class="stack side-by-side">
    ${unknown && html`<div class="notice waiting">Parameters, data and environment are incomplete: ${unknown.message}</div>`}
    <${Section} title="Outcome" all=${all} fields=${[
      ["Model", ({ run }) => html`<a href="/models/${run.model}">${run.model}</a>`],
      ["State", ({ run }) => html`<${Badge} state=${run.state} />`],
      ["Outcome", ({ run }) => run.outcome && run.outcome !== "none" && html`<${Outcome} run=${run} />`],
      ["Version", ({ run }) => html`<${VersionLink} model=${run.model} version=${run.version} />`],
      ["Outcome reason", ({ run }) => run.reason],
      ["Trigger", ({ run }) => TRIGGERS[run.cause] ?? run.cause],
      ["Requested by", ({ run }) => requester(run.requested_by)],
      ["Request reason", ({ run }) => run.request_reason],
      ["Tags", ({ run }) => Object.entries(run.tags ?? {}).map(written).join(", ")],
      ["Requested", ({ run }) => html`<${Ago} at=${run.requested} />`],
      ["Duration", ({ run }) => html`<${Lasted} start=${run.started} end=${run.ended} />`],
    ]} />
    <${Metrics} all=${all} />
    <${Differences} title="Selected candidate and parameters" all=${all} of=${details.map((made) => ({ candidate: made.winner, ...made.params }))} />
    <${Differences} title="Data" all=${all} of=${all.map(({ version }, place) => ({ rows: details[place].rows, "evaluation file": version?.evaluation?.slice(0, 12), ...digests(version?.datasets) }))} />
    <${Differences} title="Code and environment" all=${all} of=${details.map((made) => ({ commit: made.commit, trainer: made.code_version, seed: made.seed, ...made.packages }))} />
  </div>`;
}

const digests = (datasets = []) => Object.fromEntries(datasets.map((digest) => [`dataset ${digest.slice(0, 12)}`, "used"]));

const missing = html`<span class="faint">–</span>`;

function columnsOf(all, cell) {
  return [
    { title: "Field", cell: (row) => row.name, pin: true },
    ...all.map((each, place) => ({ title: html`<${RunLink} run=${each.run} />`, cell: (row) => cell(row, place) || missing })),
  ];
}

function Section({ title, all, fields, note }) {
  const rows = fields.map(([name, cell]) => ({ name, cell }));
  return html`<section class="card flush"><h2>${title}</h2>
    <${Table} caption=${title} columns=${columnsOf(all, (row, place) => row.cell(all[place]))} rows=${rows} id=${(row) => row.name} />
    ${note && html`<p class="foot soft">${note}</p>`}
  </section>`;
}

/** The best is marked only where all were measured on the same rows. */
function Metrics({ all }) {
  const names = [...new Set(all.flatMap(({ run }) => Object.keys(run.metrics)))];
  if (names.length === 0) return html`<section class="card"><h2>Metrics</h2><p class="soft">None of these runs has been evaluated.</p></section>`;
  const measured = all.filter(({ run }) => Object.keys(run.metrics).length > 0);
  const rows = ({ version }) => version && `${version.report?.rows} ${version.evaluation ?? version.datasets}`;
  const same = measured.length > 1 && measured.every((each) => rows(each) && rows(each) === rows(measured[0]));
  const fields = names.map((metric) => {
    const values = measured.map(({ run }) => run.metrics[metric]);
    const best = same && values.every(Number.isFinite) && values.find((value) => values.every((other) => gain(metric, value, other) >= 0));
    const mark = (value) => (value === best && values.some((other) => other !== best) ? html`<span class="better">${shown(value)} best</span>` : shown(value));
    return [html`<${MetricName} metric=${metric} />`, ({ run }) => metric in run.metrics && mark(run.metrics[metric])];
  });
  return html`<${Section} title="Metrics" all=${all} fields=${fields} note=${same ? "All were measured on the same held-out rows." : "Not all were measured on the same held-out rows, so a difference may come from the data and not from the model."} />`;
}

function Differences({ title, all, of: values }) {
  const text = (value) => (value === undefined || value === null ? undefined : typeof value === "string" ? value : JSON.stringify(value));
  // A run without a version has none of these, and differs from the others in nothing.
  const known = values.filter((each) => Object.values(each).some((value) => text(value) !== undefined));
  const names = [...new Set(known.flatMap(Object.keys))].filter((name) => known.some((each) => text(each[name]) !== undefined));
  const rows = names.filter((name) => new Set(known.map((each) => text(each[name]))).size > 1).map((name) => ({ name }));
  const equal = names.length - rows.length;
  const note = `${equal} ${equal === 1 ? "field is" : "fields are"} the same in all runs with a version.`;
  if (rows.length === 0) return html`<section class="card"><h2>${title}</h2><p class="soft">${names.length ? `No differences: ${note}` : "None of these runs has a version."}</p></section>`;
  return html`<section class="card flush"><h2>${title}</h2>
    <${Table} caption="${title}: differences" columns=${columnsOf(all, ({ name }, place) => html`<span class="mono">${text(values[place][name]) ?? "–"}</span>`)} rows=${rows} id=${(row) => row.name} />
    ${equal > 0 && html`<p class="foot soft">${note}</p>`}
  </section>`;
}
