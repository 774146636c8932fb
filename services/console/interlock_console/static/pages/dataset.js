// One dataset: validation result with all findings, drift against the previous file, and column profiles.
import { html, useState } from "../vendor/preact.js";
import { address, get } from "../api.js";
import { Column } from "../ui/column.js";
import { Copy } from "../ui/copy.js";
import { Loaded, useData } from "../ui/data.js";
import { DeleteDataset, Deleted, nameOf } from "../ui/deletion.js";
import { useFresh } from "../ui/fresh.js";
import { Facts, Head } from "../ui/head.js";
import { Moved } from "../ui/moved.js";
import { bytes, count } from "../ui/numbers.js";
import { Ago } from "../ui/time.js";
import { CHANGES, Verdict } from "./datasets.js";

const COLUMNS_SHOWN = 24;

export default function Dataset({ params: { name, digest }, query }) {
  const path = `/datasets/${name}/${digest}`;
  const file = useData(() => get(address(`/gateway${path}`, { pipeline: query.pipeline })), [path, query.pipeline]);
  const trained = useData(() => get(address(`/gateway/models/${name}/versions`, { dataset: digest })), [path]);

  const [deleted, setDeleted] = useState(null);
  const files = ["Datasets", address("/datasets", { pipeline: name })];
  useFresh(file.reload, ["dataset."], { type: CHANGES, model: name });

  if (deleted) return html`<${Deleted} what="File ${nameOf(file.data)}" answer=${deleted} trail=${[files]} />`;
  return html`<${Loaded} of=${file}>${(view) => html`
    <${Head} title=${view.file_name ?? html`<span class="mono">${digest.slice(0, 12)}</span>`} trail=${[files, [name, `/models/${name}`]]}
      badges=${html`<${Verdict} state=${view.state} />`} actions=${html`<${Copy} text=${digest} what="digest" label="Copy digest" /><${DeleteDataset} file=${view} versions=${trained.data} done=${setDeleted} />`} />
    <div class="stack">
      <div class="card"><h2>File</h2><${About} view=${view} versions=${trained.data} /></div>
      <${Findings} title="Reasons for rejection" findings=${view.reasons} lamp="refused" />
      <${Findings} title="Warnings" findings=${view.warnings} lamp="waiting" />
      ${view.state === "checking" && html`<p class="notice waiting" role="status">The file is being validated; the result will appear here.</p>`}
      ${view.drift && html`<${Moved} drift=${view.drift} name=${name} />`}
      ${view.profile && html`<${Columns} profile=${view.profile} drift=${view.drift} />`}
    </div>`}<//>`;
}

function About({ view, versions }) {
  const { profile, dataset } = view;
  return html`<${Facts} of=${[
    ["Digest", html`<span class="mono">${view.digest.slice(0, 12)}</span>`],
    ["File name", view.file_name],
    ["Role", view.role === "evaluation" ? "evaluation: never trained on, all rows held out" : undefined],
    ["Note", view.note],
    ["Uploaded by", view.uploaded_by],
    ["Batch", view.batch],
    ["Accepted rows", dataset && count(dataset.train_rows + dataset.holdout_rows)],
    ["Training / held-out rows", dataset && `${count(dataset.train_rows)} / ${count(dataset.holdout_rows)}`],
    ["Rows in the file", profile && count(profile.rows)],
    ["Invalid rows", profile?.bad_rows ? count(profile.bad_rows) : undefined],
    ["Rows without target", profile?.rows_without_target ? count(profile.rows_without_target) : undefined],
    ["Duplicate rows", profile?.repeated_rows ? count(profile.repeated_rows) : undefined],
    ["Size", bytes(view.bytes)],
    ["Received", html`<${Ago} at=${view.received_at} />`],
    ["Validated", view.decided_at && html`<${Ago} at=${view.decided_at} />`],
    ["Pipeline digest", html`<span class="mono">${view.pipeline_digest.slice(0, 12)}</span>`],
    ["Undeclared columns", profile?.extra_columns?.length ? profile.extra_columns.slice(0, 5).join(", ") : undefined],
    ["Used by versions", versions?.length ? html`<span class="chips">${versions.map((each) => html`<a href="/models/${each.model}/versions/${each.version}">v${each.version}</a>`)}</span>` : undefined],
  ]} />`;
}

function Findings({ title, findings, lamp }) {
  if (!findings.length) return null;
  return html`<section class="notice ${lamp}" aria-label=${title}>
    <h2>${title}</h2>
    <ul class="findings">${findings.map(
      (finding) => html`<li>
        <span>${finding.message}</span>
        <span class="soft">
          ${finding.lines.length > 0 && html` Line ${finding.lines.slice(0, 10).join(", ")}${finding.count > 10 ? ", …" : ""}.`}
          ${finding.examples.length > 0 && html` For example ${finding.examples.slice(0, 5).map((example, at) => html`${at > 0 && "; "}<code>${example}</code>`)}`}
        </span>
      </li>`,
    )}</ul>
  </section>`;
}

function Columns({ profile, drift }) {
  const [wanted, setWanted] = useState("");
  const [all, setAll] = useState(false);
  const moved = new Map(drift?.columns.map((column) => [column.column, column]));
  const found = Object.entries(profile.columns).filter(([name]) => name.toLowerCase().includes(wanted.toLowerCase()));
  const shown = all ? found : found.slice(0, COLUMNS_SHOWN);
  return html`<section class="stack" aria-label="Columns">
    <div class="head">
      <h2>Columns</h2><span class="faint">${count(Object.keys(profile.columns).length)}</span>
      <div class="actions"><input placeholder="Filter columns" aria-label="Filter columns by name" value=${wanted} onInput=${(event) => setWanted(event.target.value)} /></div>
    </div>
    <div class="columns profile">${shown.map(([name, column]) => html`<${Column} key=${name} name=${name} column=${column} moved=${moved.get(name)} />`)}</div>
    ${!shown.length && html`<p class="soft">No columns match.</p>`}
    ${shown.length < found.length && html`<div><button type="button" onClick=${() => setAll(true)}>Show all ${count(found.length)} columns</button></div>`}
  </section>`;
}
