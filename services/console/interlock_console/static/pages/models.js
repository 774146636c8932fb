// All models: champion, convergence, and versions that await approval; filtered by name, tag and owner; archived ones apart.
import { html } from "../vendor/preact.js";
import { address, get } from "../api.js";
import { go } from "../router.js";
import { Tags } from "../ui/about.js";
import { Badge } from "../ui/badge.js";
import { Loaded, useData } from "../ui/data.js";
import { Empty } from "../ui/empty.js";
import { useFresh } from "../ui/fresh.js";
import { Head } from "../ui/head.js";
import { useKeys } from "../ui/keys.js";
import { RolloutBadge } from "../ui/rollout.js";
import { Stage, VersionLink } from "../ui/stage.js";
import { Table } from "../ui/table.js";
import { Ago } from "../ui/time.js";

const CAUSES = { gate: "gate", approval: "approval", rollback: "rollback" };

const none = html`<span class="faint">–</span>`;

const NAME = { title: "Model", cell: (row) => html`<a class="target" href="/models/${row.name}"><strong>${row.name}</strong></a>${row.description && html`<div class="soft clipped short" title=${row.description}>${row.description}</div>`}${row.owner && html`<div class="faint">${row.owner}</div>`}<${Tags} tags=${row.tags} />` };

const VERSIONS = { title: "Versions", cell: (row) => row.versions, right: true };

const COLUMNS = [
  NAME,
  { title: "Serving", cell: (row) => html`<${VersionLink} model=${row.name} version=${row.serving?.ref.version} />`, tight: true },
  { title: "Workers", cell: (row) => html`<${RolloutBadge} rollout=${row.rollout} />`, tight: true },
  { title: "Promoted", cell: (row) => row.serving && html`<${Ago} at=${row.serving.promoted_at} /><div class="soft">by ${CAUSES[row.serving.cause]}</div>`, tight: true },
  { title: "Newest", cell: (row) => newest(row), tight: true },
  VERSIONS,
  { title: "Predict", cell: (row) => row.serving && html`<a href="/try/${row.name}">Predict</a>`, right: true, tight: true },
];

const ARCHIVED = [NAME, VERSIONS, { title: "Archived", cell: (row) => html`<${Ago} at=${row.archived_at} />`, right: true, tight: true }];

/** The newest version, where it is not the one that serves. */
function newest({ name, newest: version, serving }) {
  if (!version || version.version === serving?.ref.version) return none;
  return html`<span class="row"><${VersionLink} model=${name} version=${version.version} /><${Stage} stage=${version.stage} /></span>`;
}

export default function Models({ query: { text = "", tag = "", owner = "", archived = "" } }) {
  const filter = { text, tag, owner, archived };
  const models = useData(() => get(address("/gateway/models", filter)), Object.values(filter));
  const open = useFresh(models.reload, ["model.", "evaluation.", "pipeline.", "promotion."]);
  useKeys({ "/": [() => document.getElementById("text").focus(), "Focus the filter"] });
  return html`
    <${Head} title=${archived ? "Archived models" : "Models"} badges=${html`<${Badge} state="live" lamp=${open ? "proven" : "waiting"}>${open ? "live" : "connecting"}<//>`} />
    <div class="stack">
      <${Filter} key=${JSON.stringify(filter)} filter=${filter} />
      <${Loaded} of=${models}>${(rows) => (rows.length
        ? html`<div class="card flush"><${Table} caption=${archived ? "Archived models" : "Models"} columns=${archived ? ARCHIVED : COLUMNS} rows=${rows} id=${(row) => row.name} to=${(row) => `/models/${row.name}`} /></div>`
        : html`<div class="card">${nothing(filter)}</div>`)}<//>
    </div>`;
}

function Filter({ filter }) {
  const any = filter.text || filter.tag || filter.owner;
  function submit(event) {
    event.preventDefault();
    go(address("/models", Object.fromEntries([...new FormData(event.currentTarget)].map(([name, value]) => [name, value.trim()]))));
  }
  return html`<form class="filters" role="search" onSubmit=${submit}>
    <input id="text" name="text" defaultValue=${filter.text} placeholder="Part of the name" aria-label="Search" />
    <input name="tag" defaultValue=${filter.tag} placeholder="Tag, as team:pricing" aria-label="Tag" />
    <input name="owner" defaultValue=${filter.owner} placeholder="Owner" aria-label="Owner" />
    <label class="check"><input type="checkbox" name="archived" value="true" checked=${Boolean(filter.archived)} onChange=${(event) => event.currentTarget.form.requestSubmit()} /> Archived</label>
    <button>Filter</button>
    ${any && html`<button type="button" class="plain" onClick=${() => go(address("/models", { archived: filter.archived }))}>Clear filter</button>`}
  </form>`;
}

function nothing({ text, tag, owner, archived }) {
  if (text || tag || owner) return html`<${Empty} title="No model matches the filter" />`;
  if (archived) return html`<${Empty} title="No model is archived" />`;
  return html`<${Empty} title="No models yet" training="" command="interlock apply pipeline.yaml">A model starts with a pipeline file: its columns, its target, and the gate it must pass before it serves.<//>`;
}
