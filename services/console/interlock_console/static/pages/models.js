// All models: champion, convergence, and versions that await approval.
import { html } from "../vendor/preact.js";
import { get } from "../api.js";
import { Badge } from "../ui/badge.js";
import { Loaded, useData } from "../ui/data.js";
import { Empty } from "../ui/empty.js";
import { useFresh } from "../ui/fresh.js";
import { Head } from "../ui/head.js";
import { RolloutBadge } from "../ui/rollout.js";
import { Stage, VersionLink } from "../ui/stage.js";
import { Table } from "../ui/table.js";
import { Ago } from "../ui/time.js";

/** Models whose convergence and versions are loaded; for others see their own page. */
const DETAILED = 25;

const CAUSES = { gate: "gate", approval: "approval", rollback: "rollback" };

const COLUMNS = [
  { title: "Model", cell: (row) => html`<a href="/models/${row.name}"><strong>${row.name}</strong></a>` },
  { title: "Serving", cell: (row) => html`<${VersionLink} model=${row.name} version=${row.serving?.ref.version} />`, tight: true },
  { title: "Workers", cell: (row) => html`<${RolloutBadge} rollout=${row.rollout} />`, tight: true },
  { title: "Since", cell: (row) => html`<${Ago} at=${row.serving?.promoted_at} />`, tight: true },
  { title: "Promoted by", cell: (row) => html`<span class="soft">${CAUSES[row.serving?.cause] ?? "–"}</span>`, tight: true },
  { title: "Latest", cell: (row) => newest(row), tight: true },
  { title: "Versions", cell: (row) => row.versions, right: true },
  { title: "Predict", cell: (row) => row.serving && html`<a href="/try/${row.name}">Predict</a>`, right: true, tight: true },
];

function newest({ name, latest, serving }) {
  if (!latest || latest.version === serving?.ref.version) return html`<span class="faint">–</span>`;
  return html`<span class="row"><${VersionLink} model=${name} version=${latest.version} /><${Stage} stage=${latest.stage} /></span>`;
}

async function load() {
  const models = await get("/gateway/models");
  return Promise.all(models.map((model, place) => (place < DETAILED ? withDetails(model) : model)));
}

async function withDetails(model) {
  const path = `/gateway/models/${model.name}`;
  const [rollout, versions] = await Promise.allSettled([
    model.serving ? get(`${path}/rollout`) : null,
    model.versions ? get(`${path}/versions`) : [],
  ]);
  return { ...model, rollout: rollout.value, latest: versions.value?.[0] };
}

export default function Models() {
  const models = useData(load);
  const open = useFresh(models.reload, ["model.", "evaluation.", "pipeline.", "promotion."]);
  return html`
    <${Head} title="Models" badges=${html`<${Badge} state="live" lamp=${open ? "proven" : "waiting"}>${open ? "live" : "connecting"}<//>`} />
    <${Loaded} of=${models}>${(rows) => (rows.length
      ? html`<div class="card flush"><${Table} caption="Models" columns=${COLUMNS} rows=${rows} id=${(row) => row.name} to=${(row) => `/models/${row.name}`} /></div>`
      : html`<div class="card"><${Empty} title="No models yet" training="" command="interlock apply pipeline.yaml">A model starts with a pipeline file: its columns, its target, and the gate it must pass before it serves.<//></div>`)}<//>`;
}
