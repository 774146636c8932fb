// The filter of events: types to choose from, with when each is true; model and run.
import { html } from "../vendor/preact.js";
import { address } from "../api.js";
import { go } from "../router.js";

/** `filter` is {type, frequent, model, run} as the address has it, `type` with commas; `types` are the catalog's. */
export function EventFilter({ filter, types }) {
  const chosen = filter.type ? filter.type.split(",") : [];
  function submit(event) {
    event.preventDefault();
    const data = new FormData(event.currentTarget);
    const wanted = data.getAll("type");
    go(address("/events", { type: wanted.join(","), frequent: wanted.length ? "" : filter.frequent, model: data.get("model").trim(), run: data.get("run").trim() }));
  }
  // Not "value": each new event draws the page anew, and would undo what is being typed.
  return html`<form class="filters" role="search" onSubmit=${submit}>
    <details class="picker">
      <summary id="types">${chosen.length ? chosen.length === 1 ? chosen[0] : `${chosen.length} types` : "Choose types"}</summary>
      <div class="card">
        <${Choice} title="Types" types=${types.filter((each) => !each.frequent)} chosen=${chosen} />
        <${Choice} title="Frequent types" types=${types.filter((each) => each.frequent)} chosen=${chosen} />
        <button class="primary">Show the chosen types</button>
      </div>
    </details>
    <input name="model" defaultValue=${filter.model} placeholder="Model" aria-label="Filter by model" />
    <input name="run" defaultValue=${filter.run} placeholder="Run" aria-label="Filter by run" />
    <button>Filter</button>
    ${Object.values(filter).some(Boolean) && html`<button type="button" class="plain" onClick=${() => go("/events")}>Clear filter</button>`}
  </form>`;
}

function Choice({ title, types, chosen }) {
  return html`<fieldset class="scopes"><legend>${title}</legend>
    ${types.map(({ type, description }) => html`<label class="check" title=${description}><input type="checkbox" name="type" value=${type} defaultChecked=${chosen.includes(type)} /><span class="mono">${type}</span></label>`)}
  </fieldset>`;
}
