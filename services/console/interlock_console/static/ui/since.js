// How far back a list goes: the choice of a filter, and the time that is asked for.
import { html } from "../vendor/preact.js";

const TIMES = [["", "Any time"], ["1", "Last hour"], ["24", "Last day"], ["168", "Last week"], ["720", "Last 30 days"]];

/** The time `hours` ago for a request; undefined where any will do. */
export const since = (hours) => (hours ? new Date(Date.now() - hours * 3_600_000).toISOString() : undefined);

/** A choice named "hours" in a form, which it sends. */
export function Since({ hours }) {
  return html`<select name="hours" aria-label="Time" onChange=${(event) => event.currentTarget.form.requestSubmit()}>
    ${TIMES.map(([value, title]) => html`<option value=${value} selected=${value === hours}>${title}</option>`)}
  </select>`;
}
