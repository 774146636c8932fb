// Drift of a file against the previous accepted one.
import { html } from "../vendor/preact.js";
import { Badge } from "./badge.js";
import { share } from "./numbers.js";
import { Table } from "./table.js";

const LAMPS = { stable: "proven", moderate: "waiting", large: "refused" };
const WORDS = { stable: "stable", moderate: "moderate drift", large: "large drift", not_measured: "not measured" };
const SHOWN = 12;

export function Drift({ verdict, expected = false }) {
  const moved = verdict === "moderate" || verdict === "large";
  return expected && moved ? html`<${Badge}>${WORDS[verdict]}, expected<//>` : html`<${Badge} lamp=${LAMPS[verdict]}>${WORDS[verdict]}<//>`;
}

const index = (psi) => psi?.toFixed(3) ?? "–";

const COLUMNS = [
  { title: "Column", cell: (each) => html`<span class="mono">${each.column}</span>` },
  { title: "Drift", cell: (each) => html`<${Drift} verdict=${each.verdict} expected=${each.expected} />`, tight: true },
  { title: "PSI", cell: (each) => index(each.psi), right: true, tight: true },
  { title: "Expected by chance", cell: (each) => index(each.chance), right: true, tight: true },
  { title: "Largest change", cell: (each) => html`<span class="soft">${most(each)}</span>` },
];

export function Moved({ drift, name }) {
  const rows = [...drift.columns].sort((a, b) => (b.psi ?? -1) - (a.psi ?? -1)).slice(0, SHOWN);
  return html`<section class="card flush" aria-label="Drift">
    <h2 class="row">Drift against <a href="/datasets/${name}/${drift.against}">batch ${drift.batch}</a> <${Drift} verdict=${drift.verdict} /></h2>
    <p class="soft padded">Population stability index (PSI): moderate from 0.1, large from 0.25, if the files differ by more than chance explains.</p>
    <${Table} caption="Columns by drift" columns=${COLUMNS} rows=${rows} id=${(each) => each.column} />
    ${drift.columns.length > SHOWN && html`<p class="faint padded">${drift.columns.length - SHOWN} more columns with less drift.</p>`}
  </section>`;
}

/** The bin whose share has changed most, in words; else why nothing was measured. */
function most({ reason, bins, new_values: fresh, gone_values: gone }) {
  if (reason) return reason;
  const parts = [];
  const bin = [...bins].sort((a, b) => Math.abs(b.now - b.before) - Math.abs(a.now - a.before))[0];
  if (bin && share(bin.before) !== share(bin.now)) parts.push(`${bin.label}: ${share(bin.before)} → ${share(bin.now)}`);
  if (fresh.length) parts.push(`new: ${fresh.slice(0, 5).join(", ")}${fresh.length > 5 ? ", …" : ""}`);
  if (gone.length) parts.push(`no longer there: ${gone.slice(0, 5).join(", ")}${gone.length > 5 ? ", …" : ""}`);
  return parts.join("; ");
}
