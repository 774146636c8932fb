// All datasets, newest first, with their validation results.
import { html } from "../vendor/preact.js";
import { address, get } from "../api.js";
import { go } from "../router.js";
import { Badge } from "../ui/badge.js";
import { Loaded, useData } from "../ui/data.js";
import { Empty } from "../ui/empty.js";
import { useFresh } from "../ui/fresh.js";
import { Head } from "../ui/head.js";
import { bytes, count } from "../ui/numbers.js";
import { Table } from "../ui/table.js";
import { Ago } from "../ui/time.js";

const PIPELINES_ASKED = 20;
const SHOWN = 200;
export const CHANGES = "dataset.ingested,dataset.rejected,dataset.deleted";
const LAMPS = { checking: "waiting busy", accepted: "proven", rejected: "refused" };

export function Verdict({ state }) {
  return html`<${Badge} state=${state} lamp=${LAMPS[state]} />`;
}

const COLUMNS = [
  { title: "File", cell: (file) => html`<a class=${file.file_name ? "" : "mono"} href=${place(file)}>${file.file_name ?? file.digest.slice(0, 12)}</a>${file.role === "evaluation" && html` <span class="soft">evaluation file</span>`}${file.read_again && html` <span class="soft">read again</span>`}` },
  { title: "Pipeline", cell: (file) => html`<a href="/models/${file.pipeline}">${file.pipeline}</a>` },
  { title: "State", cell: (file) => html`<${Verdict} state=${file.state} />`, tight: true },
  { title: "Findings", cell: (file) => html`<span class="soft">${findings(file)}</span>` },
  { title: "Batch", cell: (file) => file.batch ?? html`<span class="faint">–</span>`, right: true, tight: true },
  { title: "Rows", cell: (file) => (file.dataset ? count(file.dataset.train_rows + file.dataset.holdout_rows) : html`<span class="faint">–</span>`), right: true, tight: true },
  { title: "Size", cell: (file) => bytes(file.bytes), right: true, tight: true },
  { title: "Received", cell: (file) => html`<${Ago} at=${file.received_at} />`, right: true, tight: true },
];

function place(file) {
  return address(`/datasets/${file.pipeline}/${file.digest}`, { pipeline: file.pipeline_digest });
}

function findings(file) {
  const [first, ...more] = [...file.reasons, ...file.warnings];
  if (!first) return "";
  return first.message + (more.length ? ` (and ${more.length} more)` : "");
}

export default function Datasets({ query }) {
  const { pipeline = "" } = query;
  const found = useData(() => load(pipeline), [pipeline]);

  useFresh(found.reload, ["dataset."], { type: CHANGES, model: pipeline });

  return html`<${Loaded} of=${found}>${({ pipelines, files, left }) => html`
    <${Head} title="Datasets" actions=${pipelines.length > 0 && html`<${Choice} pipelines=${pipelines} chosen=${pipeline} />`} />
    <div class="stack">
      ${left > 0 && html`<p class="soft">Showing files of ${PIPELINES_ASKED} pipelines; select a pipeline to see the files of the other ${left}.</p>`}
      ${files.length > 0
        ? html`<div class="card flush"><${Table} caption="Files, newest first" columns=${COLUMNS} rows=${files.slice(0, SHOWN)} id=${place} to=${place} /></div>`
        : html`<div class="card">${nothing(pipelines, pipeline)}</div>`}
    </div>`}<//>`;
}

async function load(pipeline) {
  const pipelines = (await get("/gateway/pipelines")).map(({ name }) => name);
  const asked = pipeline ? [pipeline] : pipelines.slice(0, PIPELINES_ASKED);
  const files = (await Promise.all(asked.map((name) => get(`/gateway/datasets/${name}`)))).flat();
  files.sort((a, b) => b.received_at.localeCompare(a.received_at));
  return { pipelines, files, left: pipeline ? 0 : pipelines.length - asked.length };
}

function Choice({ pipelines, chosen }) {
  const choose = (event) => go(address("/datasets", { pipeline: event.target.value }));
  return html`<select aria-label="Filter by pipeline" value=${chosen} onChange=${choose}>
    <option value="">All pipelines</option>
    ${pipelines.map((name) => html`<option value=${name} selected=${name === chosen}>${name}</option>`)}
  </select>`;
}

function nothing(pipelines, pipeline) {
  if (!pipelines.length) {
    return html`<${Empty} title="No pipelines yet" command="interlock apply pipeline.yaml">A pipeline declares the columns of its files; then files can be ingested.<//>`;
  }
  const name = pipeline || pipelines[0];
  return html`<${Empty} title="No datasets yet" command="interlock ingest ${name} data.csv">Each file is validated against its pipeline, profiled, and split into training data and holdout.<//>`;
}
