// The list of runs, newest first unless sorted, live; several can be chosen to compare.
import { html, useMemo, useState } from "../vendor/preact.js";
import { address, get } from "../api.js";
import { go } from "../router.js";
import { Tags } from "../ui/about.js";
import { Badge } from "../ui/badge.js";
import { Loaded, useData } from "../ui/data.js";
import { Empty } from "../ui/empty.js";
import { soonOnce, useLive } from "../ui/follow.js";
import { Head } from "../ui/head.js";
import { useKeys } from "../ui/keys.js";
import { called, declaredMetrics, direction, shown } from "../ui/metrics.js";
import { count } from "../ui/numbers.js";
import { Since, since } from "../ui/since.js";
import { Table } from "../ui/table.js";
import { Ago, Lasted } from "../ui/time.js";
import { progressInWords } from "../ui/progress.js";
import { TRIGGERS, Why } from "../ui/trigger.js";

const LIMIT = 50;
const METRICS_SHOWN = 4;
const MOST_COMPARED = 6;

const STATES = { "": "Any state", "queued,running": "In progress", succeeded: "Succeeded", refused: "Refused", "failed,timed_out": "Failed", cancelled: "Cancelled", coalesced: "Coalesced" };

const none = html`<span class="faint">–</span>`;

const COLUMNS = [
  { title: "Run", cell: (run) => html`<a class="mono" href="/runs/${run.run_id}">${run.run_id.slice(0, 8)}</a>`, tight: true },
  { title: "Model", cell: (run) => html`<a href="/models/${run.model}">${run.model}</a>`, tight: true, sort: "model" },
  { title: "State", cell: (run) => html`<${Badge} state=${run.state} /><div class="soft">${progress(run)}</div>`, tight: true, sort: "state" },
  { title: "Version", cell: (run) => (run.version ? html`<a href="/models/${run.model}/versions/${run.version}">v${run.version}</a>` : none), right: true, sort: "-version" },
];

const MORE_COLUMNS = [
  { title: "Trigger", cell: (run) => html`<${Why} run=${run} /><${Tags} tags=${run.tags} page="/runs" />`, sort: "requested_by" },
  { title: "Started", cell: (run) => html`<${Ago} at=${run.started || run.requested} />`, right: true, tight: true, sort: "-requested" },
  { title: "Duration", cell: (run) => html`<${Lasted} start=${run.started} end=${run.ended} />`, right: true, tight: true, sort: "-duration" },
];

/** How far it has come, or what became of its model where the state does not say. */
function progress({ state, outcome, ended, progress: made }) {
  if (!ended) return progressInWords(made);
  return outcome === "none" || outcome === state ? "" : outcome === "waiting" ? "awaiting approval" : outcome;
}

export default function Runs({ query }) {
  const { model = "", text = "", state = "", cause = "", tag = "", metric = "", hours = "", sort = "", before, offset } = query;
  const filter = { model, text, state, cause, tag, metric, hours, sort };
  const runs = useData(
    () => get(address("/view/runs", { model, text, state, cause, tag, metric, sort, since: since(hours), before, offset, limit: LIMIT })),
    [...Object.values(filter), before, offset],
  );
  const pipelines = useData(() => get("/gateway/pipelines"));
  const soon = useMemo(() => soonOnce(runs.reload, 1000), [runs.reload]);
  const open = useLive({ model }, (type) => type !== "spans" && soon(), [soon]);
  useKeys({ "/": [() => document.getElementById("text").focus(), "Focus the filter"] });

  return html`
    <${Head} title="Runs" badges=${html`<${Badge} state=${open ? "live" : "waiting"} lamp=${open ? "proven" : "waiting"}>${open ? "live" : "connecting"}<//>`} />
    <div class="stack">
      <${Filter} key=${JSON.stringify(filter)} filter=${filter} />
      <${Loaded} of=${runs}>${(found) => found.runs.length
        ? html`<${Listed} found=${found} filter=${filter} pipelines=${pipelines.data} />`
        : html`<div class="card">${nothing(filter, before || offset)}</div>`}<//>
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
  return html`<form class="filters many" role="search" onSubmit=${submit}>
    <input id="text" name="text" defaultValue=${filter.text} placeholder="Model or id" aria-label="Search" />
    <input name="model" defaultValue=${filter.model} type="hidden" />
    <input name="sort" defaultValue=${filter.sort} type="hidden" />
    ${choice("state", "State", STATES)} ${choice("cause", "Trigger", { "": "Any trigger", ...TRIGGERS })} <${Since} hours=${filter.hours} />
    <input name="tag" defaultValue=${filter.tag} placeholder="Tag, as team:pricing" aria-label="Tag" />
    <input name="metric" defaultValue=${filter.metric} placeholder="Metric, as r2>=0.9" aria-label="Metric" />
    <button>Filter</button>
    ${Object.values(filter).some(Boolean) && html`<button type="button" class="plain" onClick=${() => go("/runs")}>Clear filter</button>`}
  </form>`;
}

function Listed({ found: { runs, total, before, offset }, filter, pipelines }) {
  const [chosen, setChosen] = useState([]);
  const choose = (id) => setChosen((earlier) => (earlier.includes(id) ? earlier.filter((each) => each !== id) : [...earlier, id].slice(-MOST_COMPARED)));
  const compared = { title: "Compare", cell: ({ run_id: id }) => html`<input type="checkbox" aria-label="Compare run ${id.slice(0, 8)}" checked=${chosen.includes(id)} onChange=${() => choose(id)} />`, tight: true };
  const bounded = [...filter.metric.matchAll(/\w+(?=\s*[<>]=)/g)].map(([metric]) => metric);
  const metrics = [...new Set([...bounded, ...declaredMetrics(pipelines, runs)])].slice(0, METRICS_SHOWN).map((metric) => ({
    title: called(metric),
    cell: (run) => (metric in run.metrics ? shown(run.metrics[metric]) : none),
    right: true,
    sort: `${direction(metric) === "lower is better" ? "" : "-"}metrics.${metric}`,
  }));
  const order = { by: filter.sort || "-requested", to: (sort) => address("/runs", { ...filter, sort }) };
  const next = before ? { before } : offset ? { offset } : null;
  return html`<div class="stack">
    <div class="row">
      <p class="faint">${count(total)} ${total === 1 ? "run" : "runs"}${filter.model && ` of ${filter.model}`}</p>
      <button type="button" disabled=${chosen.length < 2} onClick=${() => go(address("/runs/compare", { runs: chosen.join(",") }))}>
        ${chosen.length < 2 ? "Select two or more to compare" : `Compare ${chosen.length} runs`}</button>
    </div>
    <div class="card flush"><${Table} caption=${filter.sort ? "Runs" : "Runs, newest first"} columns=${[compared, ...COLUMNS, ...metrics, ...MORE_COLUMNS]} rows=${runs} order=${order} id=${(run) => run.run_id} to=${(run) => `/runs/${run.run_id}`} /></div>
    ${next && html`<a href=${address("/runs", { ...filter, ...next })}>${before ? "Older runs" : "More runs"}</a>`}
  </div>`;
}

function nothing({ model, sort: _, ...filter }, before) {
  if (before) return html`<${Empty} title="No older runs" />`;
  if (Object.values(filter).some(Boolean)) return html`<${Empty} title="No run matches the filter" />`;
  if (model) return html`<${Empty} title="No runs of ${model} yet" command="interlock retrain ${model}">A run starts when data is ingested, or on request.<//>`;
  return html`<${Empty} title="No runs yet" command="interlock demo">A run starts when data is ingested. The demo applies a pipeline, ingests real data, and trains a model in about a minute.<//>`;
}
