// One run, from its cause to the swap in every worker, live while it lasts.
import { html, useEffect, useMemo, useState } from "../vendor/preact.js";
import { address, get, post } from "../api.js";
import { go } from "../router.js";
import { Tags } from "../ui/about.js";
import { Badge } from "../ui/badge.js";
import { Copy } from "../ui/copy.js";
import { Failure, Loaded, useData } from "../ui/data.js";
import { Confirm } from "../ui/dialog.js";
import { Empty } from "../ui/empty.js";
import { soonOnce, useLive } from "../ui/follow.js";
import { Facts, Head } from "../ui/head.js";
import { Lanes } from "../ui/lanes.js";
import { TrainingLog } from "../ui/log.js";
import { progressInWords } from "../ui/progress.js";
import { Ago, Lasted, nanoseconds, useNow } from "../ui/time.js";
import { SearchProgress, TrainingCharts } from "../ui/trainingcharts.js";
import { TraceView } from "../ui/traceview.js";
import { TRIGGERS, requester } from "../ui/trigger.js";

/** So many steps of a search are drawn, the newest; a run publishes at most one a second. */
const PROGRESS_SHOWN = 500;

/** How often a run is asked for again whose events have not arrived. */
const EARLY_EVERY = 1000;

const GOING = new Set(["queued", "running"]);

/** Characters of a whole id; lists show the first of them. */
const ID_LENGTH = 36;

export default function Run({ params: { id } }) {
  return id.length < ID_LENGTH ? html`<${Beginning} id=${id} />` : html`<${Whole} id=${id} />`;
}

/** Goes on to the one run whose id begins so. */
function Beginning({ id }) {
  const found = useData(async () => {
    const { runs } = await get(address("/view/runs", { text: id }));
    const begun = runs.filter((run) => run.run_id.startsWith(id.toLowerCase()));
    if (begun.length !== 1) throw { title: "Unknown run", message: `${begun.length || "no"} runs have an id that begins with ${id}` };
    go(`/runs/${begun[0].run_id}`, { replace: true });
    return begun[0];
  }, [id]);
  return html`<${Loaded} of=${found}>${() => null}<//>`;
}

function Whole({ id }) {
  const [selected, select] = useState(null);
  const run = useData(() => runOf(id), [id]);
  const traceId = run.data?.trace_id;
  const trace = useData(async () => (traceId ? await traceOf(traceId) : null), [traceId]);
  const version = useData(() => (run.data?.version ? get(`/gateway/models/${run.data.model}/versions/${run.data.version}`) : null), [run.data?.model, run.data?.version]);
  const progressed = useData(() => get(address("/view/events", { type: "training.progressed", run: id, limit: PROGRESS_SHOWN })), [id]);
  const soon = useMemo(() => soonOnce(() => Promise.all([run.reload(), trace.reload(), progressed.reload()])), [run.reload, trace.reload, progressed.reload]);
  const onEvent = (type, data) => (type !== "spans" || data.trace_ids.includes(traceId)) && soon();
  const open = useLive({ run: id }, onEvent, [soon]);

  const early = run.data?.early && GOING.has(run.data.state);
  useEffect(() => {
    if (!early) return undefined;
    const timer = setInterval(run.reload, EARLY_EVERY);
    return () => clearInterval(timer);
  }, [early, run.reload]);

  return html`<${Loaded} of=${run}>${(known) => html`<${Known} run=${known} trace=${trace} made=${version.data?.details} progressed=${progressed.data?.events ?? []} live=${open} selected=${selected} select=${select} reload=${soon} />`}<//>`;
}

/** A run; the dispatcher's record of it where the console has none: it has just been requested, or is older than what is kept here. */
async function runOf(id) {
  try {
    return await get(`/view/runs/${id}`);
  } catch (problem) {
    if (problem.status !== 404) throw problem;
    const run = await get(`/gateway/runs/${id}`);
    return { ...run, cause: null, requested: run.created_at, started: run.started_at, ended: run.ended_at, lanes: [], open: [], early: true };
  }
}

/** The trace, or null while none of its spans has arrived. */
async function traceOf(traceId) {
  try {
    return await get(`/view/traces/${traceId}`);
  } catch (problem) {
    if (problem.status === 404) return null;
    throw problem;
  }
}

function Known({ run, trace, made, progressed, live, selected, select, reload }) {
  const going = GOING.has(run.state) || run.open.length > 0;
  const now = useNow(going ? 1000 : 0).getTime() * 1e6;
  const badges = html`<${Badge} state=${run.state} />${run.outcome && run.outcome !== "none" && run.outcome !== run.state && html`<${Badge} state=${run.outcome} />`}
    ${going && !live && html`<${Badge} lamp="waiting">connecting<//>`}`;
  return html`
    <${Head} title=${`${run.model}: run ${run.run_id.slice(0, 8)}`} trail=${[["Runs", "/runs"]]} badges=${badges} actions=${html`<${Actions} run=${run} reload=${reload} />`} />
    <div class="stack">
      <${Summary} run=${run} />
      ${run.reason && html`<p class="notice refused">${run.reason}</p>`}
      ${run.open.length > 0 && html`<${StillOpen} open=${run.open} now=${now} />`}
      <section class="card" aria-label="Stages"><h2>Stages</h2>
        ${run.early && html`<p class="soft">${going ? "The first steps appear here in a moment." : "The events of this run are no longer stored, so its steps are not known."}</p>`}
        <${Lanes} lanes=${run.lanes} ended=${!going} now=${now} select=${select} /></section>
      ${made ? html`<div class="columns"><${TrainingCharts} made=${made} /></div>` : html`<${SearchProgress} progressed=${progressed} />`}
      <${TrainingLog} run=${run} />
      <section class="card" aria-label="Trace"><h2>Trace</h2><${Trace} trace=${trace} run=${run} selected=${selected} select=${select} now=${now} /></section>
    </div>`;
}

function Summary({ run }) {
  const approval = run.lanes.flatMap(({ steps }) => steps).find(({ name }) => name === "approval");
  return html`<div class="card"><${Facts} of=${[
    ["Model", html`<a href="/models/${run.model}">${run.model}</a>`],
    ["Version", run.version && html`<a href="/models/${run.model}/versions/${run.version}">v${run.version}</a>`],
    ["Trigger", TRIGGERS[run.cause] ?? run.cause],
    ["Requested by", requester(run.requested_by)],
    ["Requested", html`<${Ago} at=${run.requested} />`],
    ["Queue wait", run.started || !run.ended ? html`<${Lasted} start=${run.requested} end=${run.started} />` : null],
    ["Duration", html`<${Lasted} start=${run.started} end=${run.ended} />`],
    ["Approval wait", approval && html`<${Lasted} start=${approval.start_ns / 1e6} end=${approval.end_ns === null ? null : approval.end_ns / 1e6} />`],
    ["Progress", run.ended ? null : progressInWords(run.progress) || null, "wide"],
    ["Attempts", run.attempt > 1 ? run.attempt : null],
    ["Coalesced into", run.into && html`<a class="mono" href="/runs/${run.into}">${run.into.slice(0, 8)}</a>`],
    ["Request reason", run.request_reason || null, "wide"],
    ["Tags", Object.keys(run.tags ?? {}).length > 0 ? html`<${Tags} tags=${run.tags} page="/runs" />` : null, "wide"],
    ["Run ID", html`<span class="row"><code>${run.run_id}</code><${Copy} text=${run.run_id} what="the run ID" /></span>`, "wide"],
  ]} /></div>`;
}

function StillOpen({ open, now }) {
  return html`<div class="notice waiting"><strong>Still open</strong>
    <ul class="plain">${open.map((step) => html`<li key=${step.lane + step.name}>${step.lane}: ${step.name} <span class="soft">for ${nanoseconds(Math.max(0, now - step.since_ns))}</span></li>`)}</ul>
  </div>`;
}

function Trace({ trace, run, selected, select, now }) {
  if (trace.problem) return html`<${Failure} problem=${trace.problem} retry=${trace.reload} />`;
  if (!trace.data) return html`<${Empty} title="No spans yet" command="interlock trace ${run.run_id}">Spans are sent when they end; the first ones arrive a second or two after the run starts.<//>`;
  return html`<${TraceView} trace=${trace.data} selected=${selected} select=${select} now=${now} />`;
}

function Actions({ run, reload }) {
  const [asking, setAsking] = useState(false);
  const close = (done) => {
    setAsking(false);
    if (done) reload();
  };
  return html`
    ${run.trace_id && html`<a class="button" href="/traces/${run.trace_id}">Open trace</a>
      <a class="button" href="/view/traces/${run.trace_id}/otlp" download="trace-${run.trace_id}.json">OTLP JSON</a>`}
    ${GOING.has(run.state) && html`<button type="button" class="danger" onClick=${() => setAsking(true)}>Cancel run</button>`}
    ${asking && html`<${Confirm} title="Cancel this run?" verb="Cancel run" danger act=${() => post(`/gateway/runs/${run.run_id}/cancel`)} close=${close}>
      <p>Its training is stopped and its results are lost. The serving version is not affected.</p><//>`}`;
}
