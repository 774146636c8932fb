// Decisions: approval, rollback, and others that a confirmation asks for. The registry checks the caller's scope again, and records both in the audit log.
import { html, useContext, useRef, useState } from "../vendor/preact.js";
import { post } from "../api.js";
import { Caller } from "../app.js";
import { Confirm } from "./dialog.js";

/** A button with a confirmation; without the scope promote it is disabled and says so. `expects` is a name to be typed. */
export function Decision({ label, verb, title, danger, plain, act, done, disabled, expects, children }) {
  const caller = useContext(Caller);
  const [asked, setAsked] = useState(false);
  const may = ["promote", "admin"].some((scope) => caller.scopes.includes(scope));
  const close = (acted) => {
    setAsked(false);
    if (acted) done();
  };
  return html`<button type="button" class=${danger ? "danger" : plain ? "" : "primary"} disabled=${!may || disabled}
      title=${may ? undefined : "Requires a key with the scope promote"} onClick=${() => setAsked(true)}>${label}</button>
    ${asked && html`<${Confirm} title=${title} verb=${verb} danger=${danger} expects=${expects} act=${act} close=${close}>
      ${children}
      <p class="soft">This is recorded in the audit log under your name, <strong>${caller.name}</strong>.</p>
    <//>`}`;
}

/** Approve a version; `done(message)` is called with the outcome. */
export function Approve({ model, version, champion, done }) {
  const outcome = useRef("");
  async function act() {
    const answer = await post(`/gateway/models/${model}/versions/${version}/approve`);
    outcome.current = answer.promoted
      ? `Version ${version} is promoted; the workers are loading it.`
      : `The champion has changed; the gate evaluates version ${version} against the new one first.`;
  }
  return html`<${Decision} label="Approve…" verb="Approve version ${version}" title="Promote version ${version} of ${model}?" act=${act} done=${() => done(outcome.current)}>
    <p>${champion ? `It replaces version ${champion} in every gateway worker` : "It becomes the first version that serves"}, within seconds and without a failed request.</p>
  <//>`;
}

/** Roll back to `version`, or to one of `choices`. */
export function RollBack({ model, champion, version, choices = [], done }) {
  const [chosen, setChosen] = useState(version ?? choices[0]);
  const reason = useRef(null);
  const target = version ?? chosen ?? choices[0];
  async function act() {
    const why = reason.current.value.trim();
    await post(`/gateway/models/${model}/rollback`, { version: Number(target), ...(why ? { reason: why } : {}) });
  }
  return html`<${Decision} label=${version ? `Roll back to v${version}…` : "Roll back…"} danger verb="Roll back to version ${target}"
      title="Roll back ${model}?" act=${act} disabled=${!target}
      done=${() => done(`Rolled back to version ${target}; the workers are loading it.`)}>
    ${version
      ? html`<p>Version ${version} replaces version ${champion} in every gateway worker.</p>`
      : html`<label>Replace version ${champion} with
          <select value=${target} onChange=${(event) => setChosen(Number(event.target.value))}>
            ${choices.map((each) => html`<option value=${each}>version ${each}</option>`)}
          </select></label>`}
    <label>Reason <input ref=${reason} maxlength="1000" placeholder="recorded in the audit log" /></label>
  <//>`;
}
