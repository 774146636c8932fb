// API keys: made and shown once, listed, revoked.
import { html, useRef, useState } from "../vendor/preact.js";
import { get, post, remove } from "../api.js";
import { Badge } from "../ui/badge.js";
import { Copy } from "../ui/copy.js";
import { Failure, Loaded, useData } from "../ui/data.js";
import { Confirm } from "../ui/dialog.js";
import { Empty } from "../ui/empty.js";
import { Head } from "../ui/head.js";
import { useKeys } from "../ui/keys.js";
import { Table } from "../ui/table.js";
import { Ago, At } from "../ui/time.js";

const SCOPES = {
  predict: "predict, send ground truth",
  read: "view everything except keys, audit log and dead letters",
  ingest: "upload files, send spans",
  train: "start and cancel runs",
  promote: "apply pipelines, approve, roll back, describe, archive",
  admin: "everything, including keys and deletion",
};
const LIVES = [["", "Never"], ["1", "In a day"], ["7", "In 7 days"], ["30", "In 30 days"], ["90", "In 90 days"], ["365", "In a year"]];
const DAY = 86_400_000;

export default function Keys() {
  const keys = useData(() => get("/gateway/keys"));
  const [made, setMade] = useState(null);
  const [asked, setAsked] = useState(null);
  const [notice, setNotice] = useState("");
  useKeys({ n: [() => document.getElementById("name").focus(), "Create a key"] });

  function show(key) {
    setMade(key);
    setNotice("");
    keys.reload();
  }

  function close(revoked) {
    if (revoked) {
      setNotice(`${asked.name} is revoked; every service refuses it within 30 seconds.`);
      if (made?.name === asked.name) setMade(null);
      keys.reload();
    }
    setAsked(null);
  }

  return html`
    <${Head} title="API keys" />
    <div class="stack">
      ${made && html`<${Made} key=${made.name} made=${made} close=${() => setMade(null)} />`}
      <p class="notice proven" role="status" hidden=${!notice}>${notice}</p>
      <${Create} show=${show} />
      <${Loaded} of=${keys}>${(all) => (all.length
        ? html`<div class="card flush"><${Table} caption="API keys, newest first" columns=${columns(setAsked)} rows=${all} id=${(key) => `${key.name} ${key.created_at}`} /></div>`
        : html`<div class="card"><${Empty} title="No keys besides the deployment's" command="interlock keys create NAME --scope predict">Give every user and program a key of its own: the audit log then says who did what, and one can be revoked alone.<//></div>`)}<//>
    </div>
    ${asked && html`<${Confirm} title="Revoke ${asked.name}?" verb="Revoke" danger close=${close} act=${() => remove(`/gateway/keys/${asked.name}`)}>
      <p>Whoever uses it is refused, within 30 seconds everywhere. This cannot be undone; a new key may have the same name.</p><//>`}`;
}

function columns(ask) {
  return [
    { title: "Name", cell: ({ name }) => html`<strong>${name}</strong>`, tight: true },
    { title: "Scopes", cell: ({ scopes }) => scopes.join(", ") },
    { title: "State", cell: (key) => html`<${State} of=${key} />`, tight: true },
    { title: "Created", cell: (key) => html`<${Ago} at=${key.created_at} /> <span class="soft">by ${key.created_by}</span>`, tight: true },
    { title: "Revoke", cell: (key) => !key.revoked_at && html`<button type="button" class="danger" aria-label="Revoke ${key.name}" onClick=${() => ask(key)}>Revoke</button>`, right: true, tight: true },
  ];
}

function State({ of: { expires_at: until, revoked_at: revoked } }) {
  if (revoked) return html`<${Badge} lamp="">revoked<//> <span class="soft"><${Ago} at=${revoked} /></span>`;
  if (!until) return html`<${Badge} lamp="proven">active<//>`;
  const date = html`<span class="soft"><${At} at=${until} /></span>`;
  return new Date(until) <= new Date() ? html`<${Badge} lamp="refused">expired<//> ${date}` : html`<${Badge} lamp="proven">active<//> <span class="soft">until</span> ${date}`;
}

function Made({ made, close }) {
  return html`<section class="card stack" aria-label="New key">
    <h2>The key of ${made.name}</h2>
    <p>Copy it now: it is not shown again, and only its hash is stored.</p>
    <div class="command"><code tabindex="0">${made.key}</code><${Copy} text=${made.key} what="the key" /></div>
    <div class="row"><button type="button" onClick=${close}>I have copied it</button></div>
  </section>`;
}

function Create({ show }) {
  const form = useRef(null);
  const [problem, setProblem] = useState(null);
  const [busy, setBusy] = useState(false);

  async function submit(event) {
    event.preventDefault();
    const data = new FormData(form.current);
    const days = Number(data.get("days"));
    setBusy(true);
    setProblem(null);
    try {
      const scopes = data.getAll("scope");
      if (!scopes.length) throw Object.assign(new Error("A key without a scope may do nothing."), { title: "Choose a scope" });
      const expires = days ? new Date(Date.now() + days * DAY).toISOString() : null;
      show(await post("/gateway/keys", { name: data.get("name").trim(), scopes, expires_at: expires }));
      form.current.reset();
    } catch (error) {
      setProblem(error);
    }
    setBusy(false);
  }

  return html`<form class="card stack" ref=${form} onSubmit=${submit} aria-label="Create a key">
    <h2>Create a key</h2>
    <div class="row">
      <label>Name<input id="name" name="name" required pattern="[a-z0-9][a-z0-9._\\-]{0,62}" title="Lower-case letters, digits, dots, dashes and underscores" placeholder="ci" autocomplete="off" /></label>
      <label>Expires<select name="days">${LIVES.map(([value, title]) => html`<option value=${value}>${title}</option>`)}</select></label>
    </div>
    <fieldset class="scopes"><legend>Scopes</legend>
      ${Object.entries(SCOPES).map(([scope, words]) => html`<label class="check"><input type="checkbox" name="scope" value=${scope} /><span><strong>${scope}</strong> <span class="faint">${words}</span></span></label>`)}
    </fieldset>
    ${problem && html`<${Failure} problem=${problem} />`}
    <div class="row"><button class="primary" disabled=${busy}>Create key</button></div>
  </form>`;
}
