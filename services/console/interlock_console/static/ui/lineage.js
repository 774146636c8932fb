// Lineage of a version, upstream and downstream: data, code, run, parameters, environment; gate, promotions, workers.
import { html } from "../vendor/preact.js";
import { Copy } from "./copy.js";
import { Facts } from "./head.js";
import { called, shown } from "./metrics.js";
import { RolloutBadge } from "./rollout.js";
import { Short } from "./stage.js";
import { Table } from "./table.js";
import { Ago, duration } from "./time.js";
import { TrainingCharts } from "./trainingcharts.js";
import { requester } from "./trigger.js";

/** So many datasets are named, the newest; a window of all may hold hundreds. */
const SHOWN = 5;

/** `run` and `rollout` may be null: a run may be forgotten, and only the champion is rolled out. */
export function Lineage({ version, run, promotions, rollout }) {
  const made = version.details ?? {};
  const served = promotions.filter((each) => each.version === version.version);
  return html`<ol class="lineage" aria-label="From data to workers">
    <li><h3>Data</h3>${version.datasets.length ? version.datasets.slice(-SHOWN).map((digest) => html`<div><${Short} of=${digest} href="/datasets/${version.model}/${digest}" /></div>`) : "not recorded"}
      ${version.datasets.length > SHOWN && html`<div>and ${version.datasets.length - SHOWN} more</div>`}
      <div class="faint">${made.rows?.toLocaleString("en")} rows, ${made.features} features</div></li>
    <li><h3>Code</h3>${made.commit ? html`<span class="mono">${made.commit.slice(0, 12)}</span>` : "commit not recorded"}
      <div class="faint">pipeline <${Short} of=${version.pipeline_digest} /></div></li>
    <li><h3>Run</h3><${Short} of=${version.run_id} href="/runs/${version.run_id}" />
      <div class="faint">${run ? [requester(run.requested_by), run.request_reason].filter(Boolean).join(": ") : ""}</div></li>
    <li><h3>Model</h3><${Short} of=${version.artifact.sha256} /><div class="faint">${made.winner}, engine ${made.engine ?? "not recorded"}</div></li>
    <li><h3>Gate</h3>${version.report ? `${version.report.passed ? "passed" : "refused"} on ${(version.report.rows ?? 0).toLocaleString("en")} rows` : "in evaluation"}
      ${version.evaluation && html`<div>of evaluation file <${Short} of=${version.evaluation} href="/datasets/${version.model}/${version.evaluation}" /></div>`}
      <div class="faint">${version.against ? html`against <a href="/models/${version.model}/versions/${version.against}">v${version.against}</a>` : "no champion to compare with"}</div></li>
    <li><h3>Promotions</h3>${served.length ? served.map((each) => html`<div>#${each.promotion_seq} <span class="faint"><${Ago} at=${each.promoted_at} /></span> ${each.trace_id && html`<a href="/traces/${each.trace_id}">trace</a>`}</div>`) : "never promoted"}</li>
    <li><h3>Workers</h3>${rollout ? html`<${RolloutBadge} rollout=${rollout} />` : "not serving"}</li>
  </ol>`;
}

/** Parameters, environment and model selection: enough to reproduce the version. */
export function Making({ version }) {
  const made = version.details ?? {};
  const parameters = Object.entries(made.params ?? {});
  const packages = Object.entries(made.packages ?? {});
  return html`<div class="columns">
    <section class="card"><h2>Parameters</h2>
      <${Facts} of=${[["Candidate", made.winner], ["Seed", made.seed], ["Folds", made.folds], ...parameters.map(([name, value]) => [name, html`<span class="mono" title=${JSON.stringify(value)}>${written(value)}</span>`])]} />
    </section>
    <section class="card"><h2>Environment</h2>
      <${Facts} of=${[["Trainer version", made.code_version], ["Training time", made.fit_seconds && duration(made.fit_seconds)], ["Largest deviation of the export", made.export_check && shown(made.export_check.max_abs)], ...packages]} />
      <div class="row"><${Copy} text=${version.artifact.sha256} what="artifact digest" label="Copy artifact digest" /></div>
    </section>
    <${Selection} made=${made} />
    <${TrainingCharts} made=${made} />
  </div>`;
}

const written = (value) => (typeof value === "number" ? shown(value) : typeof value === "string" ? value : JSON.stringify(value));

/** A candidate's best score after its search, and whether the gain over its default parameters is more than noise. */
function Tuned({ tuned }) {
  if (!tuned) return "";
  const noise = !(Math.abs(tuned.gain) > 2 * tuned.error);
  return html`${shown(tuned.mean)} <span class="faint">${tuned.gain < 0 ? "" : "+"}${shown(tuned.gain)}${Number.isFinite(tuned.error) && ` ± ${shown(tuned.error)}`}${noise && ", within noise"}</span>`;
}

function Selection({ made }) {
  if (!(made.candidates ?? []).length) return null;
  const columns = [
    { title: "Candidate", cell: (each) => html`<span class=${each.candidate === made.winner ? "better" : ""}>${each.candidate}${each.candidate === made.winner ? " (selected)" : ""}</span>` },
    { title: `Mean ${made.metric ? called(made.metric) : "score"}`, cell: (each) => (each.error ? html`<span class="worse">${each.error}</span>` : html`${shown(each.mean)}${each.budget && html` <span class="faint">${each.budget.rounds} rounds only</span>`}`), right: true },
    ...(made.candidates.some(({ tuned }) => tuned) ? [{ title: "Tuned", cell: (each) => html`<${Tuned} tuned=${each.tuned} />`, right: true }] : []),
    { title: "Duration", cell: (each) => duration(each.fit_seconds), right: true, tight: true },
  ];
  const done = (made.trials ?? []).filter((each) => each.state === "complete").length;
  return html`<section class="card flush"><h2>Model selection</h2>
    <${Table} caption="Candidates" columns=${columns} rows=${made.candidates} id=${(each) => each.candidate} />
    ${made.trials?.length > 0 && html`<p class="foot soft">Hyperparameter search: ${made.trials.length} trials, ${done} completed; best score ${shown(made.score)}.</p>`}
  </section>`;
}
