// How far a file has moved from the one that was accepted before it.
import { html } from "../vendor/preact.js";
import { Badge } from "./badge.js";
import { share } from "./numbers.js";
import { Table } from "./table.js";

const LAMPS = { stable: "proven", moderate: "waiting", large: "refused" };
const WORDS = { stable: "stable", moderate: "moderate drift", large: "large drift", not_measured: "not measured" };
const SHOWN = 12;

export function Drift({ verdict }) {
  return html`<${Badge} lamp=${LAMPS[verdict]}>${WORDS[verdict]}<//>`;
}

const index = (psi) => psi?.toFixed(3) ?? "–";

const COLUMNS = [
  { title: "Column", cell: (each) => html`<span class="mono">${each.column}</span>` },
  { title: "Drift", cell: (each) => html`<${Drift} verdict=${each.verdict} />`, tight: true },
  { title: "PSI", cell: (each) => index(each.psi), right: true, tight: true },
  { title: "By chance up to", cell: (each) => index(each.chance), right: true, tight: true },
  { title: "What moved most", cell: (each) => html`<span class="soft">${most(each)}</span>` },
];

export function Moved({ drift, name }) {
  const rows = [...drift.columns].sort((a, b) => (b.psi ?? -1) - (a.psi ?? -1)).slice(0, SHOWN);
  return html`<section class="card flush" aria-label="Drift">
    <h2 class="row">Drift against <a href="/datasets/${name}/${drift.against}">batch ${drift.batch}</a> <${Drift} verdict=${drift.verdict} /></h2>
    <p class="soft padded">Population stability index: from 0.1 on moderate, from 0.25 on large, where it is more than chance explains.</p>
    <${Table} caption="Columns by how far they have moved" columns=${COLUMNS} rows=${rows} id=${(each) => each.column} />
    ${drift.columns.length > SHOWN && html`<p class="faint padded">${drift.columns.length - SHOWN} more columns have moved less.</p>`}
  </section>`;
}

/** The bin whose share has changed most, in words; else why nothing was measured. */
function most({ reason, bins, new_values: fresh, gone_values: gone }) {
  if (reason) return reason;
  const told = [];
  const bin = [...bins].sort((a, b) => Math.abs(b.now - b.before) - Math.abs(a.now - a.before))[0];
  if (bin && share(bin.before) !== share(bin.now)) told.push(`${bin.label}: ${share(bin.before)} → ${share(bin.now)}`);
  if (fresh.length) told.push(`new: ${fresh.slice(0, 5).join(", ")}${fresh.length > 5 ? ", …" : ""}`);
  if (gone.length) told.push(`gone: ${gone.slice(0, 5).join(", ")}${gone.length > 5 ? ", …" : ""}`);
  return told.join("; ");
}
