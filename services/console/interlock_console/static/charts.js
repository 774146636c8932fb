// Charts by Observable Plot. Each is a figure with a caption, as wide as its container, also available as a table.
import { html, useEffect, useRef, useState } from "./vendor/preact.js";
import "./vendor/d3.js";
import "./vendor/plot.js";

export const Plot = globalThis.Plot;
const BLUE = "var(--series-1)";
const ORANGE = "var(--series-2)";
const HEIGHT = 220;

const number = new Intl.NumberFormat(undefined, { maximumSignificantDigits: 4 });
const whole = new Intl.NumberFormat(undefined);
const shown = (value) => (typeof value === "number" ? (Number.isInteger(value) ? whole : number).format(value) : value instanceof Date ? value.toISOString() : String(value));

/**
 * `draw(width)` returns Plot's options; `table` is {head: [..], rows: [[..]]}: the same numbers for screen readers.
 * `legend` is [{name, colour, mark}], a mark being "dot", "ring", "diamond" or "line". What `scrolls` may be wider than its place.
 */
export function Chart({ caption, draw, table, legend = [], scrolls = false }) {
  const place = useRef(null);
  const [open, setOpen] = useState(false);
  useEffect(() => {
    const redraw = () => {
      const chart = Plot.plot({ className: "plot", height: HEIGHT, marginLeft: 52, ...draw(place.current.clientWidth) });
      if (scrolls) chart.style.maxWidth = "none";
      chart.setAttribute("role", "img");
      chart.setAttribute("aria-label", caption);
      // Plot names its groups, which have no role to bear a name; the caption and the table say what is drawn.
      for (const group of chart.querySelectorAll("g[aria-label]")) group.removeAttribute("aria-label");
      place.current.replaceChildren(chart);
    };
    // The observer tells the first size as well, so nothing is drawn twice.
    const observer = new ResizeObserver(() => place.current?.clientWidth && redraw());
    observer.observe(place.current);
    return () => observer.disconnect();
  }, [draw]);
  return html`<figure class="chart">
    <figcaption>${caption}</figcaption>
    ${legend.length > 0 && html`<ul class="series">${legend.map(({ name, colour, mark = "" }) => html`<li><i class=${mark} style=${{ color: colour }}></i>${name}</li>`)}</ul>`}
    <div ref=${place} ...${scrolls ? { class: "scroll", tabindex: 0, role: "region", "aria-label": caption } : {}}></div>
    <details onToggle=${(event) => setOpen(event.target.open)}>
      <summary>Show as table</summary>
      ${open && html`<div class="scroll" tabindex="0" role="region" aria-label="${caption}, as a table"><table>
        <thead><tr>${table.head.map((title) => html`<th scope="col">${title}</th>`)}</tr></thead>
        <tbody>${table.rows.map((row) => html`<tr>${row.map((value) => html`<td>${shown(value)}</td>`)}</tr>`)}</tbody>
      </table></div>`}
    </details>
  </figure>`;
}

/** Ticks of an axis from `low` to `high` at whole numbers, so that none is written twice. */
export function wholeTicks(low, high, width) {
  return globalThis.d3.ticks(low, high, Math.max(2, Math.floor(width / 60))).filter(Number.isInteger);
}

/** `bins` are [{from, to, count}]; the edges of bins of `whole` numbers lie half-way between two of them. */
export function Histogram({ caption, bins, x = "", y = "count", whole = false }) {
  // Plus zero, as what is rounded up from -0.5 is -0.
  const ends = ({ from, to }) => (whole ? [Math.ceil(from) + 0, Math.floor(to) + 0] : [from, to]);
  const named = (bin) => [...new Set(ends(bin).map(shown))].join(" to ");
  const draw = (width) => ({
    width,
    x: { label: x || null, ...(whole ? { ticks: wholeTicks(bins[0].from, bins.at(-1).to, width), tickFormat: shown } : {}) },
    y: { label: y, grid: true },
    marks: [
      Plot.rectY(bins, { x1: "from", x2: "to", y: "count", fill: BLUE, insetLeft: 0.5, insetRight: 0.5, title: (bin) => `${named(bin)}: ${shown(bin.count)} ${y}`, tip: true }),
      Plot.ruleY([0]),
    ],
  });
  const table = { head: ["from", "to", y], rows: bins.map((bin) => [...ends(bin), bin.count]) };
  return html`<${Chart} caption=${caption} draw=${draw} table=${table} />`;
}

/** So many bars are drawn; the table has all. */
const MOST_BARS = 15;

/**
 * `bars` are [{label, value, before?, low?, high?}] in their order, the first of which are drawn sideways with their value; `before` is
 * a tick, which `compared` names, and a line goes from `low` to `high`. Labels stand beside the bars, or above them where one would be cut.
 */
export function Bars({ caption, bars, x = "", compared = "before" }) {
  const withTicks = bars.some((bar) => bar.before !== undefined);
  const lines = bars.some((bar) => bar.low !== undefined);
  const more = (bar) => [...(withTicks ? [bar.before ?? ""] : []), ...(lines ? [bar.low ?? "", bar.high ?? ""] : [])];
  const table = { head: ["", x || "value", ...(withTicks ? [compared] : []), ...(lines ? ["from", "to"] : [])], rows: bars.map((bar) => [bar.label, bar.value, ...more(bar)]) };
  const drawn = bars.slice(0, MOST_BARS);
  const labels = 16 + 6.5 * Math.max(4, ...drawn.map((bar) => String(bar.label).length));
  const end = (bar) => Math.max(0, bar.value, bar.before ?? 0, bar.high ?? 0);
  const start = Math.min(0, ...drawn.map((bar) => Math.min(bar.value, bar.before ?? 0)));
  const draw = (width) => {
    const above = labels > width * 0.4;
    return {
      width,
      height: 44 + drawn.length * (above ? 42 : 24),
      marginLeft: above ? 12 : labels,
      marginRight: 56,
      x: { label: x, grid: true, ticks: Math.max(2, Math.floor(width / 90)) },
      y: { label: null, domain: drawn.map((bar) => bar.label), ...(above ? { axis: null } : {}) },
      marks: [
        Plot.barX(drawn, { x: "value", y: "label", fill: BLUE, insetTop: above ? 20 : 2, insetBottom: 2, tip: true }),
        !withTicks ? null : Plot.tickX(drawn.filter((bar) => bar.before !== undefined), { x: "before", y: "label", stroke: ORANGE, strokeWidth: 2.5, insetTop: above ? 18 : 0 }),
        !lines ? null : Plot.ruleY(drawn.filter((bar) => bar.low !== undefined), { x1: "low", x2: "high", y: "label", stroke: "var(--ink)", strokeWidth: 1.5, dy: above ? 9 : 0 }),
        Plot.text(drawn, { x: end, y: "label", text: (bar) => shown(bar.value), textAnchor: "start", dx: 5, dy: above ? 9 : 0, fill: "var(--ink)" }),
        !above ? null : Plot.text(drawn, { x: start, y: "label", text: (bar) => String(bar.label), textAnchor: "start", dy: -10, fill: "var(--ink)", lineWidth: (width - 70) / 11, textOverflow: "ellipsis-middle", title: "label" }),
        Plot.ruleX([0]),
      ],
    };
  };
  const left = bars.length - drawn.length;
  const legend = withTicks ? [{ name: compared, colour: ORANGE, mark: "line" }] : [];
  return html`<${Chart} caption="${caption}${left > 0 ? `; ${left} more in the table` : ""}" draw=${draw} table=${table} legend=${legend} />`;
}

/** `points` are [{x, y}]; `diagonal` draws the line where both are equal. */
export function Scatter({ caption, points, x, y, diagonal = false }) {
  const ends = diagonal ? [Math.min(...points.flatMap((p) => [p.x, p.y])), Math.max(...points.flatMap((p) => [p.x, p.y]))] : [];
  const draw = (width) => ({
    width,
    height: 280,
    x: { label: x, grid: true },
    y: { label: y, grid: true },
    marks: [
      !diagonal ? null : Plot.line([[ends[0], ends[0]], [ends[1], ends[1]]], { stroke: "var(--line-strong)", strokeDasharray: "4,3" }),
      Plot.dot(points, { x: "x", y: "y", r: 2, fill: BLUE, fillOpacity: 0.55, tip: true }),
    ],
  });
  return html`<${Chart} caption=${caption} draw=${draw} table=${{ head: [x, y], rows: points.map((p) => [p.x, p.y]) }} />`;
}

/** `curves` are [{name, points: [{x, y}]}] between 0 and 1; `diagonal` draws the line where both are equal. */
export function Curves({ caption, curves, x, y, diagonal = false, dots = false }) {
  const all = curves.flatMap(({ name, points }) => points.map((point) => ({ name, ...point })));
  const colours = curves.map((_, place) => `var(--series-${(place % 8) + 1})`);
  const draw = (width) => ({
    width: Math.min(width, 380),
    height: 300,
    x: { label: x, domain: [0, 1] },
    y: { label: y, domain: [0, 1], grid: true },
    color: { domain: curves.map(({ name }) => name), range: colours },
    marks: [
      !diagonal ? null : Plot.line([[0, 0], [1, 1]], { stroke: "var(--line-strong)", strokeDasharray: "4,3" }),
      Plot.line(all, { x: "x", y: "y", stroke: "name", strokeWidth: 2 }),
      !dots ? null : Plot.dot(all, { x: "x", y: "y", fill: "name", r: 4, title: "title", tip: true }),
    ],
  });
  const legend = curves.length > 1 ? curves.map(({ name }, place) => ({ name, colour: colours[place], mark: "line" })) : [];
  const table = { head: ["curve", x, y], rows: all.map((point) => [point.name, point.x, point.y]) };
  return html`<${Chart} caption=${caption} draw=${draw} table=${table} legend=${legend} />`;
}

/** `counts[i][j]`: rows with label `labels[i]` predicted as `labels[j]`; the shade is the share of the row. */
export function Matrix({ caption, labels, counts }) {
  const cells = counts.flatMap((row, i) => {
    const sum = row.reduce((a, b) => a + b, 0) || 1;
    return row.map((count, j) => ({ actual: String(labels[i]), predicted: String(labels[j]), count, share: count / sum }));
  });
  const longest = Math.max(...labels.map((label) => String(label).length));
  const slanted = longest > 5 && labels.length > 2;
  const top = slanted ? 40 + 4.5 * Math.min(longest, 16) : 40;
  const draw = (width) => ({
    width: Math.max(Math.min(width, 180 + labels.length * 80), 64 + 6.5 * Math.min(longest, 16) + labels.length * 26),
    height: 40 + top + labels.length * (labels.length > 8 ? 30 : 48),
    marginTop: top,
    marginRight: slanted ? 44 : 20,
    marginLeft: 40 + 6.5 * Math.min(longest, 16),
    padding: 0.04,
    x: { label: "predicted", axis: "top", domain: labels.map(String), tickRotate: slanted ? -40 : 0, labelAnchor: "left" },
    y: { label: "actual", domain: labels.map(String) },
    marks: [
      Plot.cell(cells, { x: "predicted", y: "actual", fill: BLUE, fillOpacity: (d) => 0.05 + 0.4 * d.share }),
      Plot.text(cells, { x: "predicted", y: "actual", text: (d) => shown(d.count), fill: "var(--ink)", fontSize: 13 }),
    ],
  });
  return html`<${Chart} caption=${caption} draw=${draw} table=${{ head: ["actual", "predicted", "rows"], rows: cells.map((c) => [c.actual, c.predicted, c.count]) }} scrolls />`;
}
