import { html } from "../vendor/preact.js";

/** Page header: breadcrumbs (`trail` of [title, path]), title, badges, actions. */
export function Head({ title, trail = [], badges, actions }) {
  return html`<div class="head">
    ${trail.length > 0 && html`<nav class="trail" aria-label="Breadcrumbs">${trail.map(([name, path]) => html`<a href=${path}>${name}</a> / `)}</nav>`}
    <h1>${title}</h1>
    ${badges}
    ${actions && html`<div class="actions">${actions}</div>`}
  </div>`;
}

/** Pairs of name and value, with "wide" as a third for what is long; what is null or undefined is left out. */
export function Facts({ of: pairs }) {
  const known = pairs.filter(([, value]) => value !== null && value !== undefined);
  return html`<dl class="facts">${known.map(([name, value, width]) => html`<div class=${width}><dt>${name}</dt><dd>${value}</dd></div>`)}</dl>`;
}
