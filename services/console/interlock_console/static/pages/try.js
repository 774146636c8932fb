// Prediction form, generated from the model's signature and filled with a typical row of its training data.
import { html, useEffect, useState } from "../vendor/preact.js";
import { get } from "../api.js";
import { go } from "../router.js";
import { Answer, Earlier } from "../ui/answer.js";
import { Command } from "../ui/copy.js";
import { Failure, Loaded, useData } from "../ui/data.js";
import { Empty } from "../ui/empty.js";
import { Field, cell, ordinary } from "../ui/field.js";
import { Head } from "../ui/head.js";
import { ask, curl } from "../ui/predicting.js";

const EARLIER = 8;

export default function Try({ params: { name } }) {
  const models = useData(() => get("/gateway/models"));
  return html`<${Loaded} of=${models}>${(all) => {
    const serving = all.filter((model) => model.serving);
    const here = name ?? serving[0]?.name;
    return html`
      <${Head} title="Predict" actions=${all.length > 0 && html`<${Choice} models=${all} chosen=${here} />`} />
      ${here ? html`<${Model} key=${here} name=${here} />` : html`<div class="card">${nothing(all)}</div>`}`;
  }}<//>`;
}

function Choice({ models, chosen }) {
  return html`<select aria-label="Model" value=${chosen} onChange=${(event) => go(`/try/${event.target.value}`)}>
    ${models.map(({ name, serving }) => html`<option value=${name} selected=${name === chosen}>${name}${serving ? "" : " (not serving)"}</option>`)}
  </select>`;
}

function nothing(models) {
  if (!models.length) return html`<${Empty} title="No models yet" command="interlock demo">The demo trains and serves a model that you can use here.<//>`;
  return html`<${Empty} title="No model is serving yet" command="interlock retrain ${models[0].name}">A model answers predictions once a version has passed the gate and is promoted.<//>`;
}

function Model({ name }) {
  const model = useData(() => load(name), [name]);
  return html`<${Loaded} of=${model}>${({ signature, profile, version }) =>
    signature
      ? html`<${Form} name=${name} signature=${signature} profile=${profile} version=${version} />`
      : html`<div class="card"><${Empty} title="No version of ${name} is serving yet" command="interlock retrain ${name}">It answers predictions once a version has passed the gate and is promoted.<//></div>`}<//>`;
}

/** The champion's signature, and the profile of its newest training file: ranges, values, typical cells. */
async function load(name) {
  const { signature, serving } = await get(`/gateway/models/${name}`);
  if (!serving) return {};
  const { version } = serving.ref;
  try {
    const { datasets } = await get(`/gateway/models/${name}/versions/${version}`);
    const { profile } = await get(`/gateway/datasets/${name}/${datasets.at(-1)}`);
    return { signature, version, profile: profile.columns };
  } catch {
    return { signature, version, profile: {} }; // the form is only less helpful without it
  }
}

function Form({ name, signature, profile, version }) {
  const [cells, setCells] = useState(() => ordinary(signature, profile));
  const [answers, setAnswers] = useState([]);
  const [problem, setProblem] = useState(null);
  const [busy, setBusy] = useState(false);
  const row = Object.fromEntries(signature.features.map((feature) => [feature.name, cell(feature, cells[feature.name])]));
  const faults = new Map((problem?.errors ?? []).map((error) => [error.column, error.message]));

  useEffect(() => setProblem(null), [cells]);

  async function send(event) {
    event.preventDefault();
    setBusy(true);
    try {
      const answer = await ask(name, row);
      setAnswers((before) => [{ ...answer, row }, ...before].slice(0, EARLIER + 1));
      setProblem(null);
    } catch (error) {
      setProblem(error);
    }
    setBusy(false);
  }

  return html`<div class="asking">
    <form class="card stack" onSubmit=${send} aria-label="Input for ${name}">
      <div class="fields">${signature.features.map(
        (feature) => html`<${Field} key=${feature.name} feature=${feature} column=${profile[feature.name]} value=${cells[feature.name]} fault=${faults.get(feature.name)}
          change=${(value) => setCells((before) => ({ ...before, [feature.name]: value }))} />`,
      )}</div>
      <div class="row">
        <button class="primary" disabled=${busy}>Predict ${signature.target}</button>
        <button type="button" onClick=${() => setCells(ordinary(signature, profile))}>Reset</button>
      </div>
    </form>
    <div class="stack answers">
      ${problem && html`<${Failure} problem=${problem} />`}
      <${Answer} answer=${answers[0]} name=${name} version=${version} target=${signature.target} />
      <${Earlier} answers=${answers.slice(1)} />
    </div>
    <section class="card stack terminal" aria-label="Command line"><h2>Command line</h2>
      <${Command} text=${curl(name, row)} />
      <p class="faint">Run <code>eval "$(interlock env)"</code> first; it sets the address and your API key.</p>
    </section>
  </div>`;
}
