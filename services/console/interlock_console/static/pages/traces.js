// Traces: the newest, or those with a span that is all that is asked for; live.
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
import { Since, since } from "../ui/since.js";
import { Table } from "../ui/table.js";
import { Ago, nanoseconds } from "../ui/time.js";

const LIMIT = 25;
const short = (service) => service.replace(/^interlock[-_.]/, "");

export default function Traces({ query }) {
  const { service = "", name = "", attributes = "", min = "", max = "", hours = "", errors = "", before } = query;
  const filter = { service, name, attributes, min, max, hours, errors };
  const found = useData(() => get(address("/view/traces", {
    service, name, attribute: pairsOf(attributes), min_duration: min, max_duration: max,
    since: since(hours), errors, before, limit: LIMIT,
  })), [...Object.values(filter), before]);
  const soon = useMemo(() => soonOnce(found.reload, 2000), [found.reload]);
  // An older page stays as it is: what is new belongs to the first one.
  const open = useLive({}, (type) => type === "spans" && !before && soon(), [soon]);
  useKeys({ "/": [() => document.getElementById("attributes").focus(), "Focus the filter"] });

  return html`
    <${Head} title="Traces" badges=${!before && html`<${Badge} lamp=${open ? "proven" : "waiting"}>${open ? "live" : "connecting"}<//>`}
      actions=${html`<button type="button" onClick=${found.reload}>Refresh</button>`} />
    <div class="stack">
      <${Filter} key=${JSON.stringify(filter)} filter=${filter} />
      <${Loaded} of=${found}>${({ traces, before: next }) => html`
        ${traces.length > 0 ? html`<${Listed} traces=${traces} />` : html`<div class="card">${nothing(filter, before)}</div>`}
        ${(next || before) && html`<div class="row">
          ${before && html`<a href=${address("/traces", filter)}>Newest traces</a>`}
          ${next && html`<a href=${address("/traces", { ...filter, before: next })}>Older traces</a>`}
        </div>`}`}<//>
    </div>`;
}

/** `a=1 b="two words"` as ["a=1", "b=two words"]. */
const pairsOf = (text) => [...text.matchAll(/(?:[^\s"]|"[^"]*")+/g)].map(([pair]) => pair.replaceAll('"', ""));

function Filter({ filter }) {
  const services = useData(() => get("/api/v3/services"));
  const operations = useData(() => (filter.service ? get(address("/api/v3/operations", { service: filter.service })) : { operations: [] }));
  const names = [...new Set((operations.data?.operations ?? []).map((each) => each.name))];
  const known = [...new Set([...(services.data?.services ?? []), filter.service].filter(Boolean))];
  function submit(event) {
    event.preventDefault();
    const wanted = Object.fromEntries([...new FormData(event.currentTarget)].map(([name, value]) => [name, value.trim()]));
    go(address("/traces", wanted));
  }
  const send = (event) => event.currentTarget.form.requestSubmit();
  const text = (name, label, placeholder, more = {}) => html`<input id=${name} name=${name} defaultValue=${filter[name]} placeholder=${placeholder} aria-label=${label} ...${more} />`;
  return html`<form class="filters many" role="search" onSubmit=${submit}>
    <select name="service" aria-label="Service" onChange=${send}>
      <option value="">Any service</option>
      ${known.map((service) => html`<option value=${service} selected=${service === filter.service}>${short(service)}</option>`)}
    </select>
    ${text("name", "Span name", "Span name", { list: "names" })}
    <datalist id="names">${names.map((name) => html`<option value=${name} />`)}</datalist>
    ${text("attributes", "Attributes, as key=value", "key=value")}
    ${text("min", "Shortest duration, such as 100ms", "≥ 100ms")}
    ${text("max", "Longest duration, such as 1.5s", "≤ 1.5s")}
    <${Since} hours=${filter.hours} />
    <label class="check"><input type="checkbox" name="errors" value="true" checked=${filter.errors === "true"} onChange=${send} /> Errors only</label>
    <button>Search</button>
    ${Object.values(filter).some(Boolean) && html`<button type="button" class="plain" onClick=${() => go("/traces")}>Clear filter</button>`}
  </form>`;
}

function Listed({ traces }) {
  const longest = Math.max(...traces.map((trace) => trace.duration_ns), 1);
  const columns = [
    { title: "Trace", cell: (trace) => html`<a href="/traces/${trace.trace_id}"><strong>${trace.root_name}</strong></a>
      <div class="soft">${short(trace.root_service)} <span class="mono faint">${trace.trace_id.slice(0, 8)}</span></div>` },
    { title: "Duration", cell: (trace) => html`<div class="lasting"><span>${nanoseconds(trace.duration_ns)}${trace.orphans > 0 && html` <span class="faint">so far</span>`}</span>
      <div aria-hidden="true"><i style=${{ width: `${(trace.duration_ns / longest) * 100}%` }}></i></div></div>`, tight: true },
    { title: "Spans", cell: (trace) => count(trace.spans), right: true, tight: true },
    { title: "Errors", cell: (trace) => (trace.errors ? html`<span class="worse">${count(trace.errors)}</span>` : html`<span class="faint">0</span>`), right: true, tight: true },
    { title: "Services", cell: (trace) => html`<span class="soft" title=${trace.services.map(({ name, spans }) => `${name}: ${spans} spans`).join(", ")}>${trace.services.map(({ name }) => short(name)).join(", ")}</span>` },
    { title: "Start", cell: (trace) => html`<${Ago} at=${trace.start_ns / 1e6} />`, right: true, tight: true },
  ];
  return html`<div class="card flush"><${Table} caption="Traces, newest first" columns=${columns} rows=${traces} id=${(trace) => trace.trace_id} to=${(trace) => `/traces/${trace.trace_id}`} /></div>`;
}

function nothing(filter, before) {
  if (before) return html`<${Empty} title="No older traces" />`;
  if (Object.values(filter).some(Boolean)) return html`<${Empty} title="No trace matches">One span must meet all conditions: service, name, attributes and duration.<//>`;
  return html`<${Empty} title="No traces yet" command="interlock demo">Every step of a pipeline is traced, and one in a hundred predictions. A span arrives within seconds of its end.<//>`;
}
