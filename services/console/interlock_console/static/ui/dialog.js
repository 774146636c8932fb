import { html, useEffect, useRef, useState } from "../vendor/preact.js";
import { Failure } from "./data.js";

/**
 * Confirmation dialog: `act()` may throw a Problem, which is shown; then `close(done)`.
 * With `expects`, a name, it is confirmed only once that has been typed.
 */
export function Confirm({ title, act, close, verb = "Continue", danger = false, expects, children }) {
  const dialog = useRef(null);
  const [problem, setProblem] = useState(null);
  const [busy, setBusy] = useState(false);
  const [typed, setTyped] = useState("");
  useEffect(() => dialog.current.showModal(), []);

  async function confirm() {
    setBusy(true);
    try {
      await act();
      close(true);
    } catch (error) {
      setProblem(error);
      setBusy(false);
    }
  }

  return html`<dialog ref=${dialog} aria-label=${title} onCancel=${() => close(false)}>
    <div class="stack">
      <h2>${title}</h2>
      ${children}
      ${expects && html`<label><span>Type <code>${expects}</code> to confirm</span>
        <input autocomplete="off" spellcheck="false" value=${typed} onInput=${(event) => setTyped(event.target.value)} /></label>`}
      ${problem && html`<${Failure} problem=${problem} />`}
    </div>
    <div class="actions">
      <button type="button" onClick=${() => close(false)}>Cancel</button>
      <button type="button" class=${danger ? "danger" : "primary"} disabled=${busy || (expects && typed.trim() !== expects)} onClick=${confirm}>${verb}</button>
    </div>
  </dialog>`;
}
