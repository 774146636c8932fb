import { html } from "../vendor/preact.js";

/** Colour of each state's lamp: proven is green, waiting amber, refused red; others have none. */
const LAMPS = {
  succeeded: "proven", passed: "proven", promoted: "proven", serving: "proven", champion: "proven", completed: "proven", ingested: "proven", ok: "proven", accepted: "proven",
  queued: "waiting", running: "waiting busy", open: "waiting busy", waiting: "waiting", pending: "waiting", candidate: "waiting", loading: "waiting busy", approval: "waiting", evaluated: "waiting",
  refused: "refused", failed: "refused", error: "refused", timed_out: "refused", rejected: "refused", load_failed: "refused", dead: "refused",
};

/** A lamp and its word. `lamp` (proven, waiting, refused) overrides what the state's own word says. */
export function Badge({ state, lamp, children }) {
  return html`<span class="badge ${lamp || LAMPS[state] || ""}">${children || String(state).replaceAll("_", " ")}</span>`;
}
