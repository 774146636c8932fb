// One model: champion and convergence by worker, versions, serving history, and input schema.
import { html, useState } from "../vendor/preact.js";
import { address, get } from "../api.js";
import { go } from "../router.js";
import { About } from "../ui/about.js";
import { Loaded, useData } from "../ui/data.js";
import { RollBack } from "../ui/decision.js";
import { Deleted } from "../ui/deletion.js";
import { Empty } from "../ui/empty.js";
import { useFresh } from "../ui/fresh.js";
import { Trend } from "../ui/gatecharts.js";
import { Facts, Head } from "../ui/head.js";
import { called, shown } from "../ui/metrics.js";
import { Rollout, RolloutBadge } from "../ui/rollout.js";
import { Short, Stage, VersionLink, versionPath } from "../ui/stage.js";
import { Table } from "../ui/table.js";
import { Ago } from "../ui/time.js";

const CAUSES = { gate: "the gate", approval: "approved", rollback: "rolled back" };

async function load(name) {
  const path = `/gateway/models/${name}`;
  const [model, versions, promotions, pipeline] = await Promise.all([get(path), get(`${path}/versions`), get(`${path}/promotions`), get(`/gateway/pipelines/${name}`)]);
  return { model, versions, promotions, spec: pipeline.spec, rollout: model.serving ? await get(`${path}/rollout`) : null };
}

export default function Model({ params: { name } }) {
  const loaded = useData(() => load(name), [name]);
  const [notice, setNotice] = useState("");
  const [deleted, setDeleted] = useState(null);
  useFresh(loaded.reload, ["model.", "evaluation.", "promotion."], { model: name });
  const done = (words) => {
    setNotice(words);
    loaded.reload();
  };
  if (deleted) return html`<${Deleted} what="The model ${name}" answer=${deleted} trail=${[["Models", "/models"]]} />`;
  return html`<${Loaded} of=${loaded}>${(all) => html`
    <${Head} title=${name} trail=${[["Models", "/models"]]} badges=${all.rollout && html`<${RolloutBadge} rollout=${all.rollout} />`} actions=${html`<${Actions} ...${all} done=${done} />`} />
    <div class="stack">
      ${notice && html`<div class="notice proven" role="status">${notice}</div>`}
      <${About} model=${all.model} done=${done} gone=${setDeleted} />
      <${Serving} ...${all} />
      <${Versions} ...${all} />
      <div class="columns">
        <${Promotions} ...${all} />
        <${InputSchema} signature=${all.model.signature} />
      </div>
    </div>`}<//>`;
}

function Actions({ model, versions, promotions, done }) {
  if (model.archived_at) return null;
  const champion = model.serving?.ref.version;
  const there = new Set(versions.map((each) => each.version)); // one that was deleted serves no more
  const earlier = [...new Set(promotions.map((each) => each.version))].filter((version) => version !== champion && there.has(version));
  return html`
    ${champion && html`<a class="button" href="/try/${model.name}">Predict</a>`}
    ${earlier.length > 0 && html`<${RollBack} model=${model.name} champion=${champion} choices=${earlier} done=${done} />`}`;
}

function Serving({ model, promotions, rollout, spec }) {
  const now = model.serving;
  if (!now && model.archived_at) return null;
  if (!now) {
    return html`<div class="card"><${Empty} title="No version is serving yet" training=${model.name} command="interlock ingest ${model.name} data.csv">${model.versions
      ? "No version has been promoted; see the gate result of each version."
      : "Ingest a file to train the first version."}<//></div>`;
  }
  const last = promotions[0];
  return html`<section class="card">
    <h2>Serving now</h2>
    <div class="stack">
      <${Facts} of=${[
        ["Version", html`<${VersionLink} model=${model.name} version=${now.ref.version} />`],
        ["Since", html`<${Ago} at=${now.promoted_at} />`],
        ["Promoted by", last?.by ? `${last.by} (${CAUSES[now.cause]})` : CAUSES[now.cause]],
        ["Promotion number", now.promotion_seq],
        ["Predicts", `${spec.target} (${spec.task}${spec.target_transform ? `, trained on its ${spec.target_transform}` : ""})`],
        ["Promotion", spec.promotion === "approval" ? "manual approval" : "automatic"],
        ["Signed by", now.signed && html`<span class="mono">${now.signed.key_id}</span>`],
      ]} />
      ${rollout && html`<${Rollout} rollout=${rollout} />`}
    </div>
  </section>`;
}

function Versions({ model, versions, spec }) {
  const [chosen, setChosen] = useState([]);
  const metric = spec.gate.champion?.metric ?? (spec.task === "regression" ? "r2" : "roc_auc");
  const metrics = [metric, ...Object.keys(versions.find((each) => metric in each.metrics)?.metrics ?? {}).filter((each) => each !== metric)].slice(0, 3);
  if (versions.length === 0) return html`<section class="card"><${Empty} title="No versions yet" training=${model.name} command="interlock retrain ${model.name}">Each successful training registers a version.<//></section>`;
  const choose = (version) => setChosen((before) => (before.includes(version) ? before.filter((each) => each !== version) : [...before, version].slice(-2)));
  const columns = [
    { title: "Compare", cell: (each) => html`<input type="checkbox" aria-label="Compare version ${each.version}" checked=${chosen.includes(each.version)} onChange=${() => choose(each.version)} />`, tight: true },
    { title: "Version", cell: (each) => html`<${VersionLink} model=${model.name} version=${each.version} />` },
    { title: "Stage", cell: (each) => html`<${Stage} stage=${model.archived_at && each.stage === "champion" ? "archived" : each.stage} />`, tight: true },
    ...metrics.map((each) => ({ title: called(each), cell: (version) => shown(version.metrics[each]), right: true })),
    { title: "Gate result", cell: (each) => html`<span class="soft">${each.reasons[0] ?? ""}${each.reasons.length > 1 ? `, and ${each.reasons.length - 1} more` : ""}</span>` },
    { title: "Run", cell: (each) => html`<${Short} of=${each.run_id} href="/runs/${each.run_id}" />`, tight: true },
    { title: "Registered", cell: (each) => html`<${Ago} at=${each.registered_at} />`, right: true, tight: true },
  ];
  const compare = () => go(address(`/models/${model.name}/compare`, { a: Math.min(...chosen), b: Math.max(...chosen) }));
  return html`
    ${versions.filter((each) => metric in each.metrics).length > 1 && html`<section class="card"><${Trend} versions=${versions} metric=${metric} /></section>`}
    <section class="card flush">
      <div class="title"><h2>Versions</h2><button type="button" disabled=${chosen.length !== 2} onClick=${compare}>${chosen.length === 2 ? `Compare v${Math.min(...chosen)} with v${Math.max(...chosen)}` : "Select two to compare"}</button></div>
      <${Table} caption="Versions, newest first" columns=${columns} rows=${versions} id=${(each) => each.version} to=${(each) => versionPath(model.name, each.version)} />
    </section>`;
}

function Promotions({ model, promotions }) {
  if (promotions.length === 0) return null;
  const columns = [
    { title: "No.", cell: (each) => each.promotion_seq, right: true },
    { title: "Version", cell: (each) => html`<${VersionLink} model=${model.name} version=${each.version} />` },
    { title: "Promoted by", cell: (each) => (each.by ? `${each.by}, ${CAUSES[each.cause]}` : CAUSES[each.cause]) },
    { title: "Trace", cell: (each) => html`<${Short} of=${each.trace_id} href="/traces/${each.trace_id}" />`, tight: true },
    { title: "Promoted", cell: (each) => html`<${Ago} at=${each.promoted_at} />`, right: true, tight: true },
  ];
  return html`<section class="card flush"><h2>Serving history</h2>
    <${Table} caption="Promotions, newest first" columns=${columns} rows=${promotions} id=${(each) => each.promotion_seq} />
  </section>`;
}

function InputSchema({ signature }) {
  if (!signature) return null;
  const range = ({ min, max, values }) => values?.join(", ") ?? ([min, max].some((end) => end !== null) ? `${min ?? "…"} to ${max ?? "…"}` : "");
  const columns = [
    { title: "Column", cell: (each) => html`<span class="mono">${each.name}</span>` },
    { title: "Type", cell: (each) => each.type, tight: true },
    { title: "Allowed values", cell: (each) => html`<span class="soft">${[range(each), each.nullable && "may be missing"].filter(Boolean).join("; ") || "any"}</span>` },
  ];
  return html`<section class="card flush"><h2>Input schema</h2>
    <${Table} caption="Input columns" columns=${columns} rows=${signature.features} id=${(each) => each.name} />
    <p class="foot soft">Output: <span class="mono">${signature.target}</span>, ${signature.labels ? `one of ${signature.labels.map(String).join(", ")}` : "a number"}.</p>
  </section>`;
}
