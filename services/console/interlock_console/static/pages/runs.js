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
import { Table } from "../ui/table.js";
import { Ago, Lasted } from "../ui/time.js";
import { progressInWords } from "../ui/progress.js";

const LIMIT = 50;

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
  const { model = "", before } = query;
  const runs = useData(() => get(address("/view/runs", { model, before, limit: LIMIT })), [model, before]);
  const soon = useMemo(() => soonOnce(runs.reload, 1000), [runs.reload]);
  const open = useLive({ model }, (type) => type !== "spans" && soon(), [soon]);
  useKeys({ "/": [() => document.getElementById("model").focus(), "Focus the filter"] });

  function filter(event) {
    event.preventDefault();
    go(address("/runs", { model: new FormData(event.target).get("model").trim() }));
  }

  return html`
    <${Head} title="Runs" badges=${html`<${Badge} state=${open ? "live" : "waiting"} lamp=${open ? "proven" : "waiting"}>${open ? "live" : "connecting"}<//>`}
      actions=${html`<form class="row" role="search" key=${model} onSubmit=${filter}>
        <input id="model" name="model" placeholder="Model" aria-label="Filter by model" defaultValue=${model} />
        <button>Filter</button>
      </form>`} />
    <${Loaded} of=${runs}>${({ runs: rows, before: older }) => (rows.length ? html`<${Listed} rows=${rows} older=${older && address("/runs", { model, before: older })} />` : html`<div class="card">${nothing(model, before)}</div>`)}<//>`;
}

function Listed({ rows, older }) {
  return html`<div class="stack">
    <div class="card flush"><${Table} caption="Runs, newest first" columns=${COLUMNS} rows=${rows} id=${(run) => run.run_id} to=${(run) => `/runs/${run.run_id}`} /></div>
    ${older && html`<a href=${older}>Older runs</a>`}
  </div>`;
}

function nothing(model, before) {
  if (before) return html`<${Empty} title="No older runs" />`;
  if (model) return html`<${Empty} title="No runs of ${model} yet" command="interlock retrain ${model}">A run starts when data is ingested, or on request.<//>`;
  return html`<${Empty} title="No runs yet" command="interlock demo">A run starts when data is ingested. The demo applies a pipeline, ingests real data, and trains a model in about a minute.<//>`;
}
