// Prediction form, generated from the model's signature and filled with a typical row of its training data. It asks the
// gateway alone, so it works for a key that may only predict, and while the registry is down.
import { html, useContext, useEffect, useState } from "../vendor/preact.js";
import { get, post } from "../api.js";
import { Caller } from "../app.js";
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
  const models = useData(async () => (await post("/gateway/v2/repository/index")).map((each) => each.name).sort());
  return html`<${Loaded} of=${models}>${(served) => {
    const here = name ?? served[0];
    const all = here && !served.includes(here) ? [here, ...served] : served;
    return html`
      <${Head} title="Predict" actions=${all.length > 0 && html`<${Choice} models=${all} chosen=${here} />`} />
      ${here ? html`<${Model} key=${here} name=${here} />` : html`<div class="card"><${Nothing} /></div>`}`;
  }}<//>`;
}

function Choice({ models, chosen }) {
  return html`<select aria-label="Model" value=${chosen} onChange=${(event) => go(`/try/${event.target.value}`)}>
    ${models.map((name) => html`<option value=${name} selected=${name === chosen}>${name}</option>`)}
  </select>`;
}

function Nothing() {
  const { scopes } = useContext(Caller);
  return html`<${Empty} title="No model is serving yet" training=${scopes.includes("read") ? "" : undefined} command="interlock demo">A model answers predictions once a version has passed the gate and is promoted. The demo trains and serves one.<//>`;
}

function Model({ name }) {
  const { scopes } = useContext(Caller);
  const model = useData(() => load(name, scopes.includes("read")), [name]);
  return html`<${Loaded} of=${model}>${({ signature, profile, version, problem }) =>
    signature
      ? html`<${Form} name=${name} signature=${signature} profile=${profile} version=${version} />`
      : html`<div class="card"><${Empty} title="No version of ${name} is serving yet" training=${scopes.includes("read") ? name : undefined} command="interlock retrain ${name}">It answers predictions once a version has passed the gate and is promoted: ${problem}.<//></div>`}<//>`;
}

/** The champion's signature; for a key that may read, the profile of its newest training file, too: typical cells. */
async function load(name, mayRead) {
  let info;
  try {
    ({ info } = await get(`/gateway/models/${name}/schema`));
  } catch (error) {
    if (error.status === 404) return { problem: error.message };
    throw error;
  }
  const found = { signature: info["x-signature"], version: Number(info.version), profile: {} };
  if (!mayRead) return found;
  try {
    const { datasets } = await get(`/gateway/models/${name}/versions/${found.version}`);
    const { profile } = await get(`/gateway/datasets/${name}/${datasets.at(-1)}`);
    return { ...found, profile: profile.columns };
  } catch {
    return found; // the form is only less helpful without it
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
      <p class="faint">Run <code>eval "$(interlock env --export)"</code> first: it sets the address and your API key.</p>
    </section>
  </div>`;
}
