// Two versions side by side. "Better" is claimed only where the gate evaluated both on the same rows.
import { html } from "../vendor/preact.js";
import { address, get } from "../api.js";
import { go } from "../router.js";
import { Loaded, useData } from "../ui/data.js";
import { Empty } from "../ui/empty.js";
import { Gains, HoldoutPlots } from "../ui/gatecharts.js";
import { Head } from "../ui/head.js";
import { called, differences, direction, gain, shown, signed } from "../ui/metrics.js";
import { Stage, VersionLink } from "../ui/stage.js";
import { Table } from "../ui/table.js";

async function load(name, a, b) {
  const path = `/gateway/models/${name}/versions`;
  const versions = await get(path);
  if (versions.length < 2) return { versions };
  const [right, left] = [Number(b) || versions[0].version, Number(a) || versions[1].version];
  const [before, after] = await Promise.all([get(`${path}/${left}`), get(`${path}/${right}`)]);
  const specs = await Promise.all([before, after].map((each) => get(address(`/gateway/pipelines/${name}`, { digest: each.pipeline_digest }))));
  return { versions, pair: [before, after], specs: specs.map((each) => each.spec) };
}

export default function Compare({ params: { name }, query: { a, b } }) {
  const loaded = useData(() => load(name, a, b), [name, a, b]);
  return html`
    <${Head} title="Compare versions" trail=${[["Models", "/models"], [name, `/models/${name}`]]} />
    <${Loaded} of=${loaded}>${({ versions, pair, specs }) => (pair
      ? html`<div class="stack"><${Choice} name=${name} versions=${versions} pair=${pair} /><${Compared} pair=${pair} specs=${specs} /></div>`
      : html`<div class="card"><${Empty} title="Fewer than two versions" training=${name} command="interlock retrain ${name}">Each successful training registers a version.<//></div>`)}<//>`;
}

function Choice({ name, versions, pair: [left, right] }) {
  const choose = (query) => go(address(`/models/${name}/compare`, { a: left.version, b: right.version, ...query }), { replace: true });
  const select = (label, key, chosen) => html`<label>${label}<select value=${chosen} onChange=${(event) => choose({ [key]: event.target.value })}>
    ${versions.map((each) => html`<option value=${each.version} selected=${each.version === chosen}>version ${each.version} (${each.stage})</option>`)}</select></label>`;
  return html`<div class="card row">${select("Baseline", "a", left.version)}${select("Compared with", "b", right.version)}
    <button type="button" onClick=${() => choose({ a: right.version, b: left.version })}>Swap</button></div>`;
}

/** The report that measured one of the two against the other on the same rows, if there is one. */
function direct([left, right]) {
  const of = (one, other) => one.report?.champion?.version === other.version && one.report;
  return of(right, left) || of(left, right) || null;
}

function Compared({ pair, specs }) {
  const [left, right] = pair;
  const report = direct(pair);
  const same = Boolean(left.report?.rows && left.report.rows === right.report?.rows && left.datasets.join() === right.datasets.join());
  const [made, remade] = pair.map((each) => each.details ?? {});
  return html`
    ${report
      ? html`<div class="notice proven">The gate compared these two versions on the same ${report.rows.toLocaleString("en")} held-out rows.</div>`
      : html`<div class="notice waiting">The gate has not compared these two versions directly${same ? ", but evaluated both on the same rows" : "; their holdouts differ, so a change below may come from the data, not from the model"}.</div>`}
    <${Metrics} pair=${pair} same=${same} report=${report} />
    ${report?.champion.resampled && html`<div class="card"><${Gains} report=${report} /></div>`}
    <div class="columns">${pair.map((each) => html`<div class="stack" key=${each.version}>${each.report?.metrics && html`<${HoldoutPlots} report=${each.report} of="v${each.version}" target=${specs[0].target} />`}</div>`)}</div>
    <${Differences} title="Data" pair=${pair} of=${[of(left.datasets), of(right.datasets)]} />
    <${Differences} title="Parameters" pair=${pair} of=${[{ candidate: made.winner, ...made.params }, { candidate: remade.winner, ...remade.params }]} />
    <${Differences} title="Pipeline" pair=${pair} of=${specs.map((spec) => flat(spec))} />
    <${Differences} title="Code and environment" pair=${pair} of=${[environment(made), environment(remade)]} />`;
}

const of = (datasets) => Object.fromEntries(datasets.map((digest) => [digest.slice(0, 12), "used"]));
const environment = (made) => ({ commit: made.commit, trainer: made.code_version, rows: made.rows, seed: made.seed, ...made.packages });

/** A nested declaration by its paths: {"gate.metrics.r2.min": 0.6}. */
function flat(value, path = "") {
  if (value === null || typeof value !== "object" || Array.isArray(value)) return { [path]: value };
  return Object.assign({}, ...Object.entries(value).map(([name, inner]) => flat(inner, path ? `${path}.${name}` : name)));
}

/** "Better" and "worse" only for the same rows: all metrics if `same`, else the gate's own comparison. */
function Metrics({ pair: [left, right], same, report }) {
  const values = (version) => ({ ...version.metrics, ...(version.report?.metrics ?? {}) });
  const [before, after] = [values(left), values(right)];
  const rows = Object.keys({ ...before, ...after }).map((metric) => ({ metric, before: before[metric], after: after[metric], gain: same ? gain(metric, after[metric], before[metric]) : 0 }));
  if (report && !same) rows.unshift(measuredTogether(report, right.version));
  const columns = [
    { title: "Metric", cell: (row) => html`${called(row.metric)} <span class="faint">${row.on ?? direction(row.metric)}</span>` },
    { title: html`<${VersionLink} model=${left.model} version=${left.version} /> <${Stage} stage=${left.stage} />`, cell: (row) => shown(row.before), right: true },
    { title: html`<${VersionLink} model=${right.model} version=${right.version} /> <${Stage} stage=${right.stage} />`, cell: (row) => shown(row.after), right: true },
    { title: "Change", cell: (row) => html`<span class=${row.gain > 0 ? "better" : row.gain < 0 ? "worse" : ""}>${signed(row.after - row.before)} ${row.gain > 0 ? "better" : row.gain < 0 ? "worse" : ""}</span>`, right: true, tight: true },
  ];
  return html`<section class="card flush"><h2>${same ? "Metrics on the same rows" : "Metrics on each version's own holdout"}</h2><${Table} caption="Metrics of both versions" columns=${columns} rows=${rows} id=${(row) => row.metric + (row.on ?? "")} /></section>`;
}

/** The one metric that the gate measured of both on the newer one's holdout; `after` is the version on the right. */
function measuredTogether({ metric, rows, champion }, after) {
  const [theirs, ours] = champion.version === after ? [champion.candidate, champion.champion] : [champion.champion, champion.candidate];
  return { metric, before: theirs, after: ours, gain: gain(metric, ours, theirs), on: `on the same ${rows.toLocaleString("en")} rows` };
}

function Differences({ title, pair: [left, right], of: [before, after] }) {
  const rows = differences(before, after).filter((row) => !row.same);
  if (rows.length === 0) return html`<section class="card"><h2>${title}</h2><p class="soft">No differences.</p></section>`;
  const cell = (value) => (value === undefined ? html`<span class="faint">–</span>` : html`<span class="mono">${value}</span>`);
  const columns = [
    { title: "Field", cell: (row) => row.name },
    { title: `v${left.version}`, cell: (row) => cell(row.left) },
    { title: `v${right.version}`, cell: (row) => cell(row.right) },
  ];
  return html`<section class="card flush"><h2>${title}</h2><${Table} caption="${title}: differences" columns=${columns} rows=${rows} id=${(row) => row.name} /></section>`;
}
