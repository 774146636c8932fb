import { html } from "../vendor/preact.js";
import { Command } from "./copy.js";

/** Empty state: why it is empty, and the command that changes that. */
export function Empty({ title, command, children }) {
  return html`<div class="empty"><h2>${title}</h2>${children && html`<p>${children}</p>`}${command && html`<${Command} text=${command} />`}</div>`;
}
