// Deleting for good: a version, a file, a model. Offered to keys with the scope admin alone; the name is typed, as nothing brings it back.
import { html, useContext, useRef } from "../vendor/preact.js";
import { remove } from "../api.js";
import { Caller } from "../app.js";
import { Decision } from "./decision.js";
import { Facts, Head } from "./head.js";
import { At } from "./time.js";

/** `name` is to be typed; `goes` and `stays` say what is deleted and what is not; `done(answer)` gets the service's answer. */
function Delete({ what, name, goes, stays, act, done, children }) {
  const { scopes } = useContext(Caller);
  const answer = useRef(null);
  if (!scopes.includes("admin")) return null;
  async function acted() {
    answer.current = await act();
  }
  return html`<${Decision} label="Delete…" danger verb="Delete for good" title="Delete ${what}?" expects=${name} act=${acted} done=${() => done(answer.current)}>
    <p>It cannot be brought back.</p>
    <${Facts} of=${[["Deleted", goes, "wide"], ["Kept", stays, "wide"]]} />
    ${children}
  <//>`;
}

const STAGES = ["refused", "retired"];

export function DeleteVersion({ version: { model, version, stage }, done }) {
  if (!STAGES.includes(stage)) return null;
  return html`<${Delete} what="version ${version} of ${model}" name="${model}/${version}" act=${() => remove(`/gateway/models/${model}/versions/${version}`)} done=${done}
    goes="The model that was trained, its gate report and manifest, description and tags. Nobody can roll back to it."
    stays="Its number, which is not used again, the serving history, its run, the data it was trained on, and the audit log." />`;
}

/** `versions` are those that were trained or judged on the file. */
export function DeleteDataset({ file, versions = [], done }) {
  if (file.state === "checking") return null;
  const evaluation = file.role === "evaluation";
  const next = evaluation ? "The next run is judged on the evaluation file before it, or on rows held out of the training files." : "No training uses it from then on.";
  const used = versions.length > 0 ? `Versions that used it (${versions.map((each) => `v${each.version}`).join(", ")})` : "Versions";
  return html`<${Delete} what=${`file ${nameOf(file)} of ${file.pipeline}`} name=${nameOf(file)} act=${() => remove(`/gateway/datasets/${file.pipeline}/${file.digest}`)} done=${done}
    goes="Its rows, profile and findings, under every revision of the pipeline; its name, note and uploader. ${next}"
    stays="${used}, runs, and the audit log. The same file can be ingested again, as a new one." />`;
}

export const nameOf = (file) => file.file_name ?? file.digest.slice(0, 12);

export function DeleteModel({ model: { name, versions }, done }) {
  const reason = useRef(null);
  const why = () => reason.current.value.trim();
  return html`<${Delete} what="the model ${name}" name=${name} act=${() => remove(`/gateway/models/${name}`, { name, ...(why() ? { reason: why() } : {}) })} done=${done}
    goes="All its versions (${versions} so far), files, predictions with their ground truth, and schedules."
    stays="The audit log, and the name, which no other model gets.">
    <label>Reason <input ref=${reason} maxlength="1000" placeholder="recorded in the audit log" /></label>
  <//>`;
}

/** The page of what has just been deleted; `trail` leads on from there. */
export function Deleted({ what, answer, trail }) {
  const [[name, path]] = trail.slice(-1);
  return html`<${Head} title=${what} trail=${trail} />
    <div class="stack">
      <div class="notice proven" role="status">${what} is deleted. What is stored of it is gone from the object store soon after <${At} at=${answer.objects_gone_after} />.</div>
      <p><a href=${path}>Go to ${name}</a></p>
    </div>`;
}
