// The two decisions that people make. The registry asks again whether the caller may, and writes down who did.
import { html, useContext, useRef, useState } from "../vendor/preact.js";
import { post } from "../api.js";
import { Caller } from "../app.js";
import { Confirm } from "./dialog.js";

export const mayPromote = (caller) => ["promote", "admin"].some((scope) => (caller?.scopes ?? []).includes(scope));

/** A button that asks first; without the scope it says which one is missing. */
function Decision({ label, verb, title, danger, act, done, disabled, children }) {
  const caller = useContext(Caller);
  const [asked, setAsked] = useState(false);
  const may = mayPromote(caller);
  const close = (acted) => {
    setAsked(false);
    if (acted) done();
  };
  return html`<button type="button" class=${danger ? "danger" : "primary"} disabled=${!may || disabled}
      title=${may ? undefined : "This needs a key with the scope promote"} onClick=${() => setAsked(true)}>${label}</button>
    ${asked && html`<${Confirm} title=${title} verb=${verb} danger=${danger} act=${act} close=${close}>
      ${children}
      <p class="soft">It is written to the audit log under your name, <strong>${caller.name}</strong>.</p>
    <//>`}`;
}

/** Let a version serve that waits for a person; `done(told)` hears what came of it in words. */
export function Approve({ model, version, champion, done }) {
  const told = useRef("");
  async function act() {
    const answer = await post(`/gateway/models/${model}/versions/${version}/approve`);
    told.current = answer.promoted
      ? `Version ${version} is promoted; the workers are loading it.`
      : `Another version serves by now, so the gate measures version ${version} against it first.`;
  }
  return html`<${Decision} label="Approve…" verb="Approve version ${version}" title="Let version ${version} of ${model} serve?" act=${act} done=${() => done(told.current)}>
    <p>${champion ? `It takes the place of version ${champion} in every gateway worker` : "It becomes the first version that serves"}, within seconds and without a dropped request.</p>
  <//>`;
}

/** Serve an earlier version again: `version`, or one chosen among `choices`. */
export function RollBack({ model, champion, version, choices = [], done }) {
  const [chosen, setChosen] = useState(version ?? choices[0]);
  const reason = useRef(null);
  const target = version ?? chosen ?? choices[0];
  async function act() {
    const why = reason.current.value.trim();
    await post(`/gateway/models/${model}/rollback`, { version: Number(target), ...(why ? { reason: why } : {}) });
  }
  return html`<${Decision} label=${version ? `Roll back to v${version}…` : "Roll back…"} danger verb="Roll back to version ${target}"
      title="Serve an earlier version of ${model} again?" act=${act} disabled=${!target}
      done=${() => done(`Version ${target} is promoted again; the workers are loading it.`)}>
    ${version
      ? html`<p>Version ${version} takes the place of version ${champion} in every gateway worker.</p>`
      : html`<label>Instead of version ${champion}, serve
          <select value=${target} onChange=${(event) => setChosen(Number(event.target.value))}>
            ${choices.map((each) => html`<option value=${each}>version ${each}</option>`)}
          </select></label>`}
    <label>Why <input ref=${reason} maxlength="1000" placeholder="kept in the audit log" /></label>
  <//>`;
}
