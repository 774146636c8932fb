// Form field of one feature. A field holds text; `cell` converts it to the model's input.
import { html } from "../vendor/preact.js";
import { brief } from "./numbers.js";

const LISTED = 100;
const STEP = { integer: 1, number: "any" };

/** The fields of a typical row: medians, most frequent values, the newest time. */
export function ordinary(signature, profile) {
  return Object.fromEntries(signature.features.map((feature) => [feature.name, usual(feature, profile[feature.name])]));
}

function usual({ type, min, max, values }, column) {
  if (type === "boolean") return column?.top?.[0]?.value ?? "true";
  if (type === "category") return column?.top?.[0]?.value ?? values?.[0] ?? "";
  if (type === "datetime") return (column?.max ?? new Date().toISOString()).slice(0, 19);
  const middle = column?.quantiles?.["0.5"] ?? ((min ?? 0) + (max ?? min ?? 0)) / 2;
  return String(type === "integer" ? Math.round(middle) : Number(middle.toPrecision(6)));
}

/** The input value; an empty field is null. */
export function cell({ type }, text) {
  if (text === "") return null;
  if (type === "boolean") return text === "true";
  if (type === "datetime") return `${text}Z`;
  return type === "category" ? text : Number(text);
}

/** `column` is the feature's profile, where there is one: it knows values that the pipeline does not declare. */
export function Field({ feature, column, value, fault, change }) {
  const id = `field-${feature.name}`;
  const about = `${id}-about`;
  const given = { id, value, "aria-describedby": about, "aria-invalid": fault ? "true" : undefined, onInput: (event) => change(event.target.value) };
  return html`<div class="field">
    <label for=${id}><span class="mono">${feature.name}</span></label>
    <${Control} feature=${feature} column=${column} given=${given} />
    <p id=${about} class=${fault ? "fault" : "faint"}>${fault ?? hint(feature, column)}</p>
  </div>`;
}

function Control({ feature: { name, type, nullable, min, max, values }, column, given }) {
  const required = !nullable;
  if (type === "boolean") return html`<${Choice} given=${given} options=${["true", "false"]} nullable=${nullable} />`;
  if (type === "datetime") return html`<input ...${given} type="datetime-local" step="1" required=${required} />`;
  if (type !== "category") return html`<input ...${given} type="number" inputmode="decimal" step=${STEP[type]} min=${min} max=${max} required=${required} />`;
  const known = values ?? column?.top?.map((each) => each.value) ?? [];
  const complete = values || (column && column.other === 0);
  if (complete && known.length && known.length <= LISTED) return html`<${Choice} given=${given} options=${known} nullable=${nullable} />`;
  return html`<input ...${given} list="values-${name}" required=${required} /><datalist id="values-${name}">${known.map((each) => html`<option value=${each} />`)}</datalist>`;
}

function Choice({ given, options, nullable }) {
  return html`<select ...${given}>
    ${nullable && html`<option value="" selected=${given.value === ""}>(missing)</option>`}
    ${options.map((each) => html`<option value=${each} selected=${each === given.value}>${each}</option>`)}
  </select>`;
}

function hint({ type, nullable, min, max }, column) {
  const parts = [type];
  const known = (value) => value !== null && value !== undefined;
  if (known(min) || known(max)) parts.push(`${known(min) ? brief(min) : "any"} to ${known(max) ? brief(max) : "any"}`);
  else if (type !== "datetime" && known(column?.min)) parts.push(`${brief(column.min)} to ${brief(column.max)} in the data`);
  if (nullable) parts.push("optional");
  return parts.join(" · ");
}
