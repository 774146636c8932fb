// Live tail of events.
import { html, useState } from "../vendor/preact.js";
import { address, get } from "../api.js";
import { Badge } from "../ui/badge.js";
import { Copy } from "../ui/copy.js";
import { Failure, Loaded, useData } from "../ui/data.js";
import { Drawer } from "../ui/drawer.js";
import { Empty } from "../ui/empty.js";
import { EventFilter } from "../ui/eventfilter.js";
import { Facts, Head } from "../ui/head.js";
import { useKeys } from "../ui/keys.js";
import { count } from "../ui/numbers.js";
import { Table } from "../ui/table.js";
import { useTail } from "../ui/tail.js";
import { Ago, At } from "../ui/time.js";

export default function Events({ query }) {
  const kinds = useData(() => get("/view/event-types"));
  return html`<${Loaded} of=${kinds}>${({ types }) => html`<${Tail} types=${types} query=${query} />`}<//>`;
}

/** Without a choice of types all are shown but the frequent ones, which would hide the others. */
function Tail({ types, query: { type = "", frequent = "", model = "", run = "" } }) {
  const rare = types.filter((each) => !each.frequent).map((each) => each.type).join(",");
  const tail = useTail({ type: type || (frequent ? "" : rare), model, run });
  const filter = { type, frequent, model, run };
  const [chosen, setChosen] = useState(null);
  useKeys({
    "/": [() => document.getElementById("types").focus(), "Choose types"],
    p: [tail.turn, tail.paused ? "Resume" : "Pause"],
  });

  const columns = [
    { title: "Time", cell: (event) => html`<${Ago} at=${event.time} />`, tight: true },
    { title: "Event", cell: (event) => html`<button type="button" class="plain link mono" onClick=${() => setChosen(event)}>${event.type}</button>`, tight: true },
    { title: "Model", cell: (event) => event.model && html`<a href="/models/${event.model}">${event.model}</a>`, tight: true },
    { title: "Source", cell: (event) => html`<span class="soft">${event.source.replace("/interlock/", "")}</span>`, tight: true },
    { title: "Trace", cell: (event) => event.trace_id && html`<a class="mono" href="/traces/${event.trace_id}">${event.trace_id.slice(0, 8)}</a>`, tight: true },
    { title: "Subject", cell: (event) => html`<span class="soft mono clipped">${event.subject}</span>` },
  ];
  return html`
    <${Head} title="Events" badges=${html`<${State} tail=${tail} />`}
      actions=${html`<button type="button" aria-pressed=${String(tail.paused)} onClick=${tail.turn}>${tail.paused ? `Resume (${count(tail.waiting)} new)` : "Pause"}</button>`} />
    <div class="stack">
      <${EventFilter} key=${JSON.stringify(filter)} filter=${filter} types=${types} />
      ${!type && html`<p class="faint">${frequent ? "All types are shown." : "Frequent types (predictions, feedback, progress) are hidden."}${" "}
        <a href=${address("/events", { ...filter, frequent: frequent ? "" : "true" })}>${frequent ? "Hide frequent types" : "Show frequent types"}</a></p>`}
      ${tail.problem && html`<${Failure} problem=${tail.problem} />`}
      ${tail.events?.length > 0 && html`<div class="card flush"><${Table} caption="Events, newest first" columns=${columns} rows=${tail.events} id=${(event) => event.id} pick=${setChosen} /></div>`}
      ${tail.left > 0 && html`<p class="faint">${count(tail.left)} high-frequency events were not shown.</p>`}
      ${tail.older && html`<div><button type="button" onClick=${tail.older}>Older events</button></div>`}
      ${tail.events?.length === 0 && html`<div class="card">${nothing(filter)}</div>`}
    </div>
    ${chosen && html`<${Whole} event=${chosen} close=${() => setChosen(null)} />`}`;
}

function State({ tail: { open, paused } }) {
  if (paused) return html`<${Badge} lamp="waiting">paused<//>`;
  return html`<${Badge} lamp=${open ? "proven" : "waiting"}>${open ? "live" : "connecting"}<//>`;
}

function Whole({ event, close }) {
  const json = JSON.stringify(event.data, null, 2);
  return html`<${Drawer} title=${event.type} close=${close}>
    <${Facts} of=${[
      ["Time", html`<${At} at=${event.time} />`],
      ["Source", event.source],
      ["Subject", html`<span class="mono">${event.subject}</span>`],
      ["Run", event.run_id && html`<a class="mono" href="/runs/${event.run_id}">${event.run_id.slice(0, 8)}</a>`],
      ["Trace", event.trace_id && html`<a class="mono" href="/traces/${event.trace_id}">${event.trace_id.slice(0, 12)}</a>`],
      ["Event ID", html`<span class="mono">${event.id}</span>`],
    ]} />
    <div class="row"><h3>Content</h3><${Copy} text=${json} what="the content" /></div>
    <pre class="json" tabindex="0">${json}</pre>
  <//>`;
}

function nothing(filter) {
  if (Object.values(filter).some(Boolean)) return html`<${Empty} title="No matching events" command="interlock events">New events that match the filter appear here.<//>`;
  return html`<${Empty} title="No events yet" command="interlock demo">Every step publishes an event: a dataset is ingested, a run has started, a model is promoted.<//>`;
}
