// Two versions side by side, as the registry compares them.
import { html } from "../vendor/preact.js";
import { address, get } from "../api.js";
import { go } from "../router.js";
import { Loaded, useData } from "../ui/data.js";
import { Empty } from "../ui/empty.js";
import { Gains, HoldoutPlots } from "../ui/gatecharts.js";
import { Change, MetricName } from "../ui/gatemetrics.js";
import { Head } from "../ui/head.js";
import { called, shown, signed } from "../ui/metrics.js";
import { Stage, VersionLink, stageInWords } from "../ui/stage.js";
import { Table } from "../ui/table.js";

async function load(name, a, b) {
  const path = `/gateway/models/${name}`;
  const versions = await get(`${path}/versions`);
  if (versions.length < 2) return { versions };
  const [right, left] = [Number(b) || versions[0].version, Number(a) || versions[1].version];
  const [found, before, after] = await Promise.all([get(address(`${path}/compare`, { a: left, b: right })), get(`${path}/versions/${left}`), get(`${path}/versions/${right}`)]);
  return { versions, found, pair: [before, after] };
}

export default function Compare({ params: { name }, query: { a, b } }) {
  const loaded = useData(() => load(name, a, b), [name, a, b]);
  return html`
    <${Head} title="Compare versions" trail=${[["Models", "/models"], [name, `/models/${name}`]]} />
    <${Loaded} of=${loaded}>${({ versions, found, pair }) => (pair
      ? html`<div class="stack"><${Choice} name=${name} versions=${versions} pair=${pair} /><${Compared} found=${found} pair=${pair} /></div>`
      : html`<div class="card"><${Empty} title="Fewer than two versions" training=${name} command="interlock retrain ${name}">Each successful training registers a version.<//></div>`)}<//>`;
}

function Choice({ name, versions, pair: [left, right] }) {
  const choose = (query) => go(address(`/models/${name}/compare`, { a: left.version, b: right.version, ...query }), { replace: true });
  const select = (label, key, chosen) => html`<label>${label}<select value=${chosen} onChange=${(event) => choose({ [key]: event.target.value })}>
    ${versions.map((each) => html`<option value=${each.version} selected=${each.version === chosen}>version ${each.version} (${stageInWords(each.stage)})</option>`)}</select></label>`;
  return html`<div class="card row">${select("Baseline", "a", left.version)}${select("Compared with", "b", right.version)}
    <button type="button" onClick=${() => choose({ a: right.version, b: left.version })}>Swap</button></div>`;
}

function Compared({ found, pair }) {
  const { comparable, note, measured_together: together } = found;
  const whole = together?.metrics.length > 1;
  const judged = together && pair.find((each) => each.version === together.holdout_of)?.report;
  return html`
    <div class="notice ${comparable || together ? "proven" : "waiting"}">${together
      ? `The gate compared these two versions on the same ${together.rows.toLocaleString("en")} held-out rows.`
      : `The gate has not compared these two versions directly: ${note}.`}</div>
    ${together && html`<${Metrics} title="Metrics on the held-out rows of version ${together.holdout_of}" found=${found} rows=${whole ? together.metrics : [together]} />
      ${Number.isFinite(together.lower) && html`<p class="soft">Gain of version ${together.holdout_of} in ${called(together.metric)}: ${signed(together.gain)}${judged?.confidence && `, with ${Math.round(judged.confidence * 100)} % confidence above ${shown(together.lower)}`}.</p>`}`}
    ${!(whole && comparable) && html`<${Metrics} title=${comparable ? "Metrics on the same rows" : "Metrics on each version's own holdout"} found=${found} rows=${found.metrics} />`}
    ${judged?.champion.resampled && html`<div class="card"><${Gains} report=${judged} /></div>`}
    <div class="columns">${pair.map((each) => html`<div class="stack" key=${each.version}>${each.report?.metrics && html`<${HoldoutPlots} report=${each.report} of="v${each.version}" />`}</div>`)}</div>
    <${Differences} title="Data" found=${found} rows=${datasets(found.datasets)} />
    <${Differences} title="Parameters" found=${found} rows=${found.parameters} />
    <${Differences} title="Pipeline" found=${found} rows=${found.pipeline} />
    <${Differences} title="Code and environment" found=${found} rows=${found.environment} />`;
}

const datasets = ({ only_a: before, only_b: after }) => [
  ...before.map((digest) => ({ name: digest.slice(0, 12), a: "used", b: null })),
  ...after.map((digest) => ({ name: digest.slice(0, 12), a: null, b: "used" })),
];

/** Rows as the registry compares them: it names the better side only where both were measured on the same rows. */
function Metrics({ title, found: { a, b }, rows }) {
  const side = (version) => html`<${VersionLink} model=${version.model} version=${version.version} /> <${Stage} stage=${version.stage} />`;
  const gain = { a: -1, b: 1, equal: 0 };
  const columns = [
    { title: "Metric", cell: (row) => html`<${MetricName} metric=${row.metric} />`, pin: true },
    { title: side(a), cell: (row) => shown(row.a), right: true },
    { title: side(b), cell: (row) => shown(row.b), right: true },
    { title: "Change", cell: (row) => html`<${Change} difference=${row.difference} gain=${gain[row.better] ?? null} />`, right: true, tight: true },
  ];
  return html`<section class="card flush"><h2>${title}</h2><${Table} caption=${title} columns=${columns} rows=${rows} id=${(row) => row.metric} /></section>`;
}

function Differences({ title, found: { a, b }, rows }) {
  if (rows.length === 0) return html`<section class="card"><h2>${title}</h2><p class="soft">No differences.</p></section>`;
  const cell = (value) => (value === null || value === undefined ? html`<span class="faint">–</span>` : html`<span class="mono">${typeof value === "string" ? value : JSON.stringify(value)}</span>`);
  const columns = [
    { title: "Field", cell: (row) => row.name, pin: true },
    { title: `v${a.version}`, cell: (row) => cell(row.a) },
    { title: `v${b.version}`, cell: (row) => cell(row.b) },
  ];
  return html`<section class="card flush"><h2>${title}</h2><${Table} caption="${title}: differences" columns=${columns} rows=${rows} id=${(row) => row.name} /></section>`;
}
