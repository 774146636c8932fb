// One version: gate result with metrics and plots, lineage, parameters; approval, rollback and deletion.
import { html, useState } from "../vendor/preact.js";
import { address, get } from "../api.js";
import { Badge } from "../ui/badge.js";
import { Loaded, useData } from "../ui/data.js";
import { Approve, RollBack } from "../ui/decision.js";
import { DeleteVersion, Deleted } from "../ui/deletion.js";
import { useFresh } from "../ui/fresh.js";
import { Gains, HoldoutPlots, Slices } from "../ui/gatecharts.js";
import { GateMetrics, PerLabel } from "../ui/gatemetrics.js";
import { Head } from "../ui/head.js";
import { Lineage, Making } from "../ui/lineage.js";
import { shown } from "../ui/metrics.js";
import { Short, Stage } from "../ui/stage.js";

async function load(name, number) {
  const path = `/gateway/models/${name}`;
  const [version, model, promotions] = await Promise.all([get(`${path}/versions/${number}`), get(path), get(`${path}/promotions`)]);
  const pipeline = await get(address(`/gateway/pipelines/${name}`, { digest: version.pipeline_digest }));
  const champion = model.serving?.ref.version ?? null;
  const [run, rollout] = await Promise.allSettled([get(`/gateway/runs/${version.run_id}`), champion === version.version ? get(`${path}/rollout`) : null]);
  return { version, target: pipeline.spec.target, champion, promotions, run: run.value ?? null, rollout: rollout.value ?? null };
}

export default function Version({ params: { name, version: number } }) {
  const loaded = useData(() => load(name, number), [name, number]);
  const [notice, setNotice] = useState("");
  const [deleted, setDeleted] = useState(null);
  const trail = [["Models", "/models"], [name, `/models/${name}`]];
  useFresh(loaded.reload, ["model.", "evaluation.", "promotion."], { model: name });
  const done = (words) => {
    setNotice(words);
    loaded.reload();
  };
  if (deleted) return html`<${Deleted} what="${name} version ${number}" answer=${deleted} trail=${trail} />`;
  return html`<${Loaded} of=${loaded}>${(all) => html`
    <${Head} title="${name} version ${number}" trail=${trail}
      badges=${html`<${Stage} stage=${all.version.stage} />`} actions=${html`<${Actions} ...${all} done=${done} gone=${setDeleted} />`} />
    <div class="stack">
      ${notice && html`<div class="notice proven" role="status">${notice}</div>`}
      <${Verdict} report=${all.version.report} version=${all.version} />
      ${Object.keys(all.version.report?.metrics ?? {}).length > 0 && html`<${GateMetrics} report=${all.version.report} version=${all.version} />`}
      <section class="card"><h2>Lineage</h2><${Lineage} ...${all} /></section>
      <${Plots} report=${all.version.report} target=${all.target} />
      ${all.version.report?.plots?.confusion && html`<${PerLabel} confusion=${all.version.report.plots.confusion} />`}
      <${Making} version=${all.version} />
    </div>`}<//>`;
}

function Actions({ version, champion, promotions, done, gone }) {
  const { model, version: number, stage } = version;
  const other = version.against ?? (champion !== number ? champion : null) ?? (number > 1 ? number - 1 : null);
  const served = promotions.some((each) => each.version === number);
  return html`
    ${other && html`<a class="button" href=${address(`/models/${model}/compare`, { a: other, b: number })}>Compare with v${other}</a>`}
    <a class="button" href="/gateway/models/${model}/versions/${number}" download="${model}-v${number}.json">Download JSON</a>
    ${stage === "passed" && html`<${Approve} model=${model} version=${number} champion=${champion} done=${done} />`}
    ${served && number !== champion && html`<${RollBack} model=${model} champion=${champion} version=${number} done=${done} />`}
    <${DeleteVersion} version=${version} done=${gone} />`;
}

function Verdict({ report, version: { model, evaluation } }) {
  if (!report) return html`<section class="card"><h2>Gate result</h2><p class="soft">This version has not been evaluated yet.</p></section>`;
  const checks = report.checks?.length ? report.checks : report.reasons.map((text) => ({ passed: report.passed, text }));
  return html`<section class="card">
    <h2>${report.passed ? "Passed the gate" : "Refused by the gate"}${report.rows ? html` <span class="soft">on ${report.rows.toLocaleString("en")} ${evaluation ? html`rows of evaluation file <${Short} of=${evaluation} href="/datasets/${model}/${evaluation}" />` : "held-out rows"}</span>` : ""}</h2>
    <div class="stack">
      <ul class="checks">${checks.map((check) => html`<li><${Badge} state=${check.passed ? "passed" : "failed"} /><span>${check.text}</span></li>`)}</ul>
      ${report.notes?.length > 0 && html`<ul class="plain soft">${report.notes.map((text) => html`<li>${text}</li>`)}</ul>`}
      ${report.latency_p99_ms && html`<p class="soft">Single-row latency at the gate: ${shown(report.latency_p99_ms)} ms (p99).</p>`}
    </div>
  </section>`;
}

function Plots({ report, target }) {
  if (!report?.metrics) return null;
  const slices = Object.entries(report.slices ?? {}).filter(([, each]) => each.length);
  const drawn = report.champion?.resampled || slices.length || Object.values(report.plots ?? {}).some((each) => each && each.length !== 0);
  if (!drawn) return html`<div class="notice">This version was evaluated by an earlier release, which recorded no plot data.</div>`;
  return html`<div class="columns">
    <${HoldoutPlots} report=${report} target=${target} />
    ${report.champion?.resampled && html`<div class="card"><${Gains} report=${report} /></div>`}
    ${slices.map(([column, each]) => html`<div class="card"><${Slices} column=${column} slices=${each} metric=${report.metric} confidence=${report.confidence} /></div>`)}
  </div>`;
}
