import { html } from "../vendor/preact.js";
import { get } from "../api.js";
import { Command } from "./copy.js";
import { useData } from "./data.js";
import { progressInWords } from "./progress.js";

/**
 * Empty state: why it is empty, and the command that changes that.
 * `training` names the model whose run may be about to change it, "" is any: then the run in progress is shown.
 */
export function Empty({ title, command, training, children }) {
  return html`<div class="empty"><h2>${title}</h2>${training !== undefined && html`<${InTraining} model=${training} />`}
    ${children && html`<p>${children}</p>`}${command && html`<${Command} text=${command} />`}</div>`;
}

function InTraining({ model }) {
  const overview = useData(() => get("/view/overview"), [model]);
  const run = overview.data?.in_progress.find((each) => !model || each.model === model);
  if (!run) return null;
  const words = progressInWords(run.progress);
  return html`<p><strong>${run.model} is being trained:</strong> run <a class="mono" href="/runs/${run.run_id}">${run.run_id.slice(0, 8)}</a>${" "}
    is ${run.state}${words && `, ${words}`}.</p>`;
}
