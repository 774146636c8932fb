// The list of runs, newest first, live.
import { html, useMemo } from "../vendor/preact.js";
import { address, get } from "../api.js";
import { go } from "../router.js";
import { Badge } from "../ui/badge.js";
import { Loaded, useData } from "../ui/data.js";
import { Empty } from "../ui/empty.js";
import { soonOnce, useLive } from "../ui/follow.js";
import { Head } from "../ui/head.js";
import { useKeys } from "../ui/keys.js";
import { count } from "../ui/numbers.js";
import { Table } from "../ui/table.js";
import { Ago, Lasted } from "../ui/time.js";
import { progressInWords } from "../ui/progress.js";

const LIMIT = 50;

const STATES = { "": "Any state", "queued,running": "In progress", succeeded: "Succeeded", refused: "Refused", "failed,timed_out": "Failed", cancelled: "Cancelled", coalesced: "Coalesced" };
const TRIGGERS = { "": "Any trigger", "dataset.ingested": "New data", "pipeline.applied": "New pipeline", "retrain.requested": "Retrain request" };
const TIMES = { "": "Any time", 1: "Last hour", 24: "Last day", 168: "Last week" };

const COLUMNS = [
  { title: "Run", cell: (run) => html`<a class="mono" href="/runs/${run.run_id}">${run.run_id.slice(0, 8)}</a>`, tight: true },
  { title: "Model", cell: (run) => html`<a href="/models/${run.model}">${run.model}</a>`, tight: true },
  { title: "State", cell: (run) => html`<${Badge} state=${run.state} />`, tight: true },
  { title: "Version", cell: (run) => (run.version ? html`<a href="/models/${run.model}/versions/${run.version}">v${run.version}</a>` : html`<span class="faint">–</span>`), right: true },
  { title: "Trigger", cell: (run) => html`<span class="soft">${run.cause || "–"}</span>`, tight: true },
  { title: "Progress", cell: (run) => html`<span class="soft">${run.ended ? (run.outcome === "none" ? "" : run.outcome) : progressInWords(run.progress)}</span>` },
  { title: "Started", cell: (run) => html`<${Ago} at=${run.started || run.requested} />`, right: true, tight: true },
  { title: "Duration", cell: (run) => html`<${Lasted} start=${run.started} end=${run.ended} />`, right: true, tight: true },
];

export default function Runs({ query }) {
  const { model = "", text = "", state = "", cause = "", hours = "", before } = query;
  const filter = { model, text, state, cause, hours };
  const since = () => hours && new Date(Date.now() - hours * 3_600_000).toISOString();
  const runs = useData(
    () => get(address("/view/runs", { model, text, state, cause, since: since(), before, limit: LIMIT })),
    [...Object.values(filter), before],
  );
  const soon = useMemo(() => soonOnce(runs.reload, 1000), [runs.reload]);
  const open = useLive({ model }, (type) => type !== "spans" && soon(), [soon]);
  useKeys({ "/": [() => document.getElementById("text").focus(), "Focus the filter"] });

  return html`
    <${Head} title="Runs" badges=${html`<${Badge} state=${open ? "live" : "waiting"} lamp=${open ? "proven" : "waiting"}>${open ? "live" : "connecting"}<//>`} />
    <div class="stack">
      <${Filter} key=${JSON.stringify(filter)} filter=${filter} />
      <${Loaded} of=${runs}>${({ runs: rows, before: older, total }) =>
        rows.length
          ? html`<${Listed} rows=${rows} total=${total} model=${model} older=${older && address("/runs", { ...filter, before: older })} />`
          : html`<div class="card">${nothing(filter, before)}</div>`}<//>
    </div>`;
}

function Filter({ filter }) {
  function submit(event) {
    event.preventDefault();
    const wanted = Object.fromEntries([...new FormData(event.currentTarget)].map(([name, value]) => [name, value.trim()]));
    go(address("/runs", wanted));
  }
  const choice = (name, label, options) => html`<select name=${name} aria-label=${label} onChange=${(event) => event.currentTarget.form.requestSubmit()}>
    ${Object.entries(options).map(([value, title]) => html`<option value=${value} selected=${value === filter[name]}>${title}</option>`)}
  </select>`;
  // Not "value": each new event draws the page anew, and would undo what is being typed.
  return html`<form class="filters" role="search" onSubmit=${submit}>
    <input id="text" name="text" defaultValue=${filter.text} placeholder="Model or id" aria-label="Search" />
    <input name="model" defaultValue=${filter.model} type="hidden" />
    ${choice("state", "State", STATES)} ${choice("cause", "Trigger", TRIGGERS)} ${choice("hours", "Time", TIMES)}
    <button>Filter</button>
    ${Object.values(filter).some(Boolean) && html`<button type="button" class="plain" onClick=${() => go("/runs")}>All</button>`}
  </form>`;
}

function Listed({ rows, total, model, older }) {
  return html`<div class="stack">
    <p class="faint">${count(total)} ${total === 1 ? "run" : "runs"}${model && ` of ${model}`}</p>
    <div class="card flush"><${Table} caption="Runs, newest first" columns=${COLUMNS} rows=${rows} id=${(run) => run.run_id} to=${(run) => `/runs/${run.run_id}`} /></div>
    ${older && html`<a href=${older}>Older runs</a>`}
  </div>`;
}

function nothing({ model, ...filter }, before) {
  if (before) return html`<${Empty} title="No older runs" />`;
  if (Object.values(filter).some(Boolean)) return html`<${Empty} title="No run matches the filter" />`;
  if (model) return html`<${Empty} title="No runs of ${model} yet" command="interlock retrain ${model}">A run starts when data is ingested, or on request.<//>`;
  return html`<${Empty} title="No runs yet" command="interlock demo">A run starts when data is ingested. The demo applies a pipeline, ingests real data, and trains a model in about a minute.<//>`;
}
