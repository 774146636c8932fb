import { html, useState } from "../vendor/preact.js";

/** A button that puts `text` on the clipboard; `what` names it for screen readers. */
export function Copy({ text, what = "it", label = "Copy" }) {
  const [done, setDone] = useState(null);
  async function copy() {
    try {
      await navigator.clipboard.writeText(text);
      setDone("Copied");
    } catch {
      // Browsers allow the clipboard on https and localhost only.
      setDone("Copy manually");
    }
    setTimeout(() => setDone(null), 1500);
  }
  return html`<button type="button" class="plain" onClick=${copy} aria-label="Copy ${what}">${done || label}</button>
    <span class="hidden" role="status">${done || ""}</span>`;
}

/** A line for the terminal. */
export function Command({ text }) {
  return html`<div class="command"><code tabindex="0">${text}</code><${Copy} text=${text} what="the command" /></div>`;
}
