import { html } from "../vendor/preact.js";
import { Badge } from "./badge.js";

/** Badge of each stage of a version: [lamp, text]. */
const STAGES = {
  champion: ["proven", "serving"],
  passed: ["waiting", "awaiting approval"],
  registered: ["waiting busy", "in evaluation"],
  refused: ["refused", "refused"],
  retired: ["", "retired"],
  archived: ["", "archived"],
};

export const stageInWords = (stage) => STAGES[stage]?.[1] ?? stage;

export function Stage({ stage }) {
  return html`<${Badge} state=${stage} lamp=${STAGES[stage]?.[0]}>${stageInWords(stage)}<//>`;
}

export const versionPath = (model, version) => `/models/${model}/versions/${version}`;

/** A link to one version, `v7`. */
export function VersionLink({ model, version }) {
  if (!version) return html`<span class="faint">–</span>`;
  return html`<a href=${versionPath(model, version)}>v${version}</a>`;
}

/** The first twelve digits of a digest or id, the whole as its title. */
export function Short({ of, href }) {
  if (!of) return html`<span class="faint">–</span>`;
  const text = html`<span class="mono" title=${of}>${of.slice(0, 12)}</span>`;
  return href ? html`<a href=${href}>${text}</a>` : text;
}
