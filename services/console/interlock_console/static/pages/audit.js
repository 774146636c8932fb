// The audit log: who did what to what, and when; newest first.
import { html } from "../vendor/preact.js";
import { address, get } from "../api.js";
import { go } from "../router.js";
import { Loaded, useData } from "../ui/data.js";
import { Empty } from "../ui/empty.js";
import { Head } from "../ui/head.js";
import { useKeys } from "../ui/keys.js";
import { Since, since } from "../ui/since.js";
import { Table } from "../ui/table.js";
import { Ago } from "../ui/time.js";

const LIMIT = 100;
const FIELDS = { by: "Caller", action: "Action", model: "Model", subject: "Subject" };

/** Where the page of a subject is, `model/flights/3` for instance. */
const PAGES = [
  [/^model\/([^/]+)\/(\d+)$/, (model, version) => `/models/${model}/versions/${version}`],
  [/^(?:model|pipeline)\/([^/]+)$/, (model) => `/models/${model}`],
  [/^run\/([^/]+)$/, (run) => `/runs/${run}`],
  [/^key\/[^/]+$/, () => "/keys"],
];

const COLUMNS = [
  { title: "Time", cell: ({ at }) => html`<${Ago} at=${at} />`, tight: true },
  { title: "Caller", cell: ({ by }) => html`<a href=${address("/audit", { by })}>${by}</a>`, tight: true },
  { title: "Action", cell: ({ action }) => html`<span class="mono">${action}</span>`, tight: true },
  { title: "Subject", cell: ({ subject }) => html`<${Subject} of=${subject} />` },
  { title: "Details", cell: ({ details }) => html`<span class="soft reason">${inWords(details)}</span>` },
  { title: "Trace", cell: ({ trace_id: id }) => id && html`<a class="mono" href="/traces/${id}">${id.slice(0, 8)}</a>`, tight: true },
];

export default function Audit({ query }) {
  const { by = "", action = "", model = "", subject = "", hours = "", before } = query;
  const filter = { by, action, model, subject, hours };
  const entries = useData(
    () => get(address("/gateway/audit", { by, action, model, subject, since: since(hours), before, limit: LIMIT })),
    [...Object.values(filter), before],
  );
  useKeys({ "/": [() => document.getElementById("by").focus(), "Focus the filter"] });
  return html`
    <${Head} title="Audit log" actions=${html`<button type="button" onClick=${entries.reload}>Refresh</button>`} />
    <div class="stack">
      <${Filter} key=${JSON.stringify(filter)} filter=${filter} actions=${[...new Set(entries.data?.map((each) => each.action))].sort()} />
      <${Loaded} of=${entries}>${(rows) => (rows.length
        ? html`<div class="card flush"><${Table} caption="Audit log, newest first" columns=${COLUMNS} rows=${rows} id=${(entry) => entry.id} /></div>
            ${rows.length === LIMIT && html`<a href=${address("/audit", { ...filter, before: rows.at(-1).id })}>Older entries</a>`}`
        : html`<div class="card">${nothing(filter, before)}</div>`)}<//>
    </div>`;
}

function Filter({ filter, actions }) {
  function submit(event) {
    event.preventDefault();
    go(address("/audit", Object.fromEntries([...new FormData(event.currentTarget)].map(([name, value]) => [name, value.trim()]))));
  }
  return html`<form class="filters many" role="search" onSubmit=${submit}>
    ${Object.entries(FIELDS).map(([name, title]) => html`<input id=${name} name=${name} defaultValue=${filter[name]} placeholder=${title} aria-label=${title} list=${name === "action" ? "actions" : undefined} />`)}
    <datalist id="actions">${actions.map((action) => html`<option value=${action} />`)}</datalist>
    <${Since} hours=${filter.hours} />
    <button>Filter</button>
    ${Object.values(filter).some(Boolean) && html`<button type="button" class="plain" onClick=${() => go("/audit")}>Clear filter</button>`}
  </form>`;
}

function Subject({ of: subject }) {
  for (const [pattern, path] of PAGES) {
    const found = pattern.exec(subject);
    if (found) return html`<a class="mono" href=${path(...found.slice(1))} title=${subject}>${subject.replace(/^(run\/[^-]+).*/, "$1")}</a>`;
  }
  return html`<span class="mono">${subject}</span>`;
}

function inWords(details) {
  const words = (value) => (Array.isArray(value) ? value.join(" + ") : value !== null && typeof value === "object" ? JSON.stringify(value) : String(value));
  return Object.entries(details).map(([name, value]) => `${name.replaceAll("_", " ")}: ${words(value)}`).join(", ");
}

function nothing(filter, before) {
  if (before) return html`<${Empty} title="No older entries" />`;
  if (Object.values(filter).some(Boolean)) return html`<${Empty} title="No entry matches the filter" command="interlock audit">A subject is model/flights, run/… or key/…; a model finds its versions, its pipeline and its runs, too.<//>`;
  return html`<${Empty} title="No entries yet" command="interlock audit">Approvals, promotions, rollbacks, pipelines, requested runs, keys and dead letters are recorded here.<//>`;
}
