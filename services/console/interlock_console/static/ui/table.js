import { html, useEffect, useRef, useState } from "../vendor/preact.js";
import { go } from "../router.js";
import { useKeys } from "./keys.js";

/**
 * Rows under columns: `columns` are {title, cell(row), right?, tight?, pin?}, `id(row)` tells rows apart.
 * What is wider than its place scrolls in it; a column that is pinned stays in sight.
 * With `order` ({by, to(sort)}) columns that name a `sort` are headed by links that sort by it; "-" is descending.
 * With `to(row)` (an address) or `pick(row)` j and k choose a row and o opens it; a cell should lead there, too.
 */
export function Table({ columns, rows, id, to, pick, order, caption, note }) {
  const [chosen, setChosen] = useState(-1);
  const body = useRef(null);
  const open = pick ?? (to && ((row) => go(to(row))));
  const move = (by) => setChosen((before) => Math.max(0, Math.min(rows.length - 1, before + by)));
  useKeys(
    open
      ? {
          j: [() => move(1), "Next row"],
          k: [() => move(-1), "Previous row"],
          ...(rows[chosen] ? { o: [() => open(rows[chosen]), "Open the row"] } : {}),
        }
      : {},
  );
  useEffect(() => body.current?.children[chosen]?.scrollIntoView({ block: "nearest" }), [chosen]);

  return html`<div class="scroll" tabindex="0" role="region" aria-label=${caption}><table>
    <caption class="hidden">${caption}</caption>
    <thead><tr>${columns.map((column) => html`<${Heading} column=${column} order=${order} />`)}</tr></thead>
    <tbody ref=${body}>${rows.map((row, place) => html`<tr key=${id(row)} class=${place === chosen ? "chosen" : ""} aria-current=${place === chosen ? "true" : undefined}>
      ${columns.map(({ cell, ...column }) => html`<td class=${styles(column)}>${cell(row)}</td>`)}
    </tr>`)}</tbody>
  </table>${note}</div>`;
}

const styles = ({ right, tight, pin }) => Object.entries({ right, tight, pin }).flatMap(([name, is]) => (is ? [name] : [])).join(" ");

/** The first click sorts as the column says, the next one the other way round. */
function Heading({ column: { title, sort, ...column }, order }) {
  const side = styles({ ...column, tight: false });
  if (!sort || !order) return html`<th scope="col" class=${side}>${title}</th>`;
  const bare = (text) => text.replace(/^-/, "");
  const sorted = bare(order.by) === bare(sort);
  const descending = order.by.startsWith("-");
  const next = sorted && order.by === sort ? (descending ? bare(sort) : `-${sort}`) : sort;
  return html`<th scope="col" class=${side} aria-sort=${sorted ? (descending ? "descending" : "ascending") : undefined}>
    <a href=${order.to(next)}>${title}${sorted && html`<span aria-hidden="true"> ${descending ? "↓" : "↑"}</span>`}</a></th>`;
}
