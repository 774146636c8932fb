// Charts by Observable Plot. Each is a figure with a caption, as wide as its container, also available as a table.
import { html, useEffect, useRef, useState } from "./vendor/preact.js";
import "./vendor/d3.js";
import "./vendor/plot.js";

export const Plot = globalThis.Plot;
const BLUE = "var(--series-1)";
const ORANGE = "var(--series-2)";
const HEIGHT = 220;

const number = new Intl.NumberFormat(undefined, { maximumSignificantDigits: 4 });
const shown = (value) => (typeof value === "number" ? number.format(value) : value instanceof Date ? value.toISOString() : String(value));

/** `draw(width)` returns Plot's options; `table` is {head: [..], rows: [[..]]}: the same numbers for screen readers. */
export function Chart({ caption, draw, table }) {
  const place = useRef(null);
  const [open, setOpen] = useState(false);
  useEffect(() => {
    const redraw = () => {
      const chart = Plot.plot({ className: "plot", height: HEIGHT, marginLeft: 52, ...draw(place.current.clientWidth) });
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
    <div ref=${place}></div>
    <details onToggle=${(event) => setOpen(event.target.open)}>
      <summary>Show as table</summary>
      ${open && html`<div class="scroll" tabindex="0" role="region" aria-label="${caption}, as a table"><table>
        <thead><tr>${table.head.map((title) => html`<th scope="col">${title}</th>`)}</tr></thead>
        <tbody>${table.rows.map((row) => html`<tr>${row.map((value) => html`<td>${shown(value)}</td>`)}</tr>`)}</tbody>
      </table></div>`}
    </details>
  </figure>`;
}

/** `bins` are [{from, to, count}]; `before` the same of something to compare with, drawn as a line over them. */
export function Histogram({ caption, bins, before, x = "", y = "count" }) {
  const table = { head: ["from", "to", y, ...(before ? ["before"] : [])], rows: bins.map((bin, at) => [bin.from, bin.to, bin.count, ...(before ? [before[at]?.count ?? ""] : [])]) };
  const draw = (width) => ({
    width,
    x: { label: x },
    y: { label: y, grid: true },
    marks: [
      Plot.rectY(bins, { x1: "from", x2: "to", y: "count", fill: BLUE, insetLeft: 0.5, insetRight: 0.5, tip: true }),
      // Plot leaves out null, and takes false for a broken mark.
      !before ? null : Plot.rectY(before, { x1: "from", x2: "to", y: "count", fill: "none", stroke: ORANGE, strokeWidth: 1.5 }),
      Plot.ruleY([0]),
    ],
  });
  return html`<${Chart} caption=${caption} draw=${draw} table=${table} />`;
}

/** `bars` are [{label, value, before?}], drawn sideways so that long labels can be read; `before` is a tick. */
export function Bars({ caption, bars, x = "" }) {
  const compared = bars.some((bar) => bar.before !== undefined);
  const table = { head: ["", x || "value", ...(compared ? ["before"] : [])], rows: bars.map((bar) => [bar.label, bar.value, ...(compared ? [bar.before ?? ""] : [])]) };
  const draw = (width) => ({
    width,
    height: 40 + bars.length * 24,
    marginLeft: Math.min(width * 0.4, 16 + 6.5 * Math.max(4, ...bars.map((bar) => String(bar.label).length))),
    x: { label: x, grid: true },
    y: { label: null, domain: bars.map((bar) => bar.label) },
    marks: [
      Plot.barX(bars, { x: "value", y: "label", fill: BLUE, insetTop: 2, insetBottom: 2, tip: true }),
      !compared ? null : Plot.tickX(bars.filter((bar) => bar.before !== undefined), { x: "before", y: "label", stroke: ORANGE, strokeWidth: 2.5 }),
      Plot.ruleX([0]),
    ],
  });
  return html`<${Chart} caption=${caption} draw=${draw} table=${table} />`;
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

/** An estimate with its interval beside the threshold that it has to pass: green where `low` lies above, else red. */
export function Interval({ caption, estimate, low, high, threshold = 0, x = "" }) {
  const colour = low > threshold ? "var(--proven)" : "var(--refused)";
  const draw = (width) => ({
    width,
    height: 84,
    marginLeft: 12,
    marginRight: 12,
    x: { label: x, grid: true, nice: true, domain: [Math.min(low, threshold), Math.max(high ?? estimate, threshold)] },
    y: { axis: null },
    marks: [
      Plot.ruleX([threshold], { stroke: "var(--ink-soft)", strokeDasharray: "4,3" }),
      Plot.ruleY([{ low, high: high ?? estimate }], { x1: "low", x2: "high", y: () => 0, stroke: colour, strokeWidth: 4 }),
      Plot.dot([estimate], { x: (d) => d, y: () => 0, r: 6, fill: colour, stroke: "var(--surface)", strokeWidth: 2 }),
    ],
  });
  return html`<${Chart} caption=${caption} draw=${draw} table=${{ head: ["low", "estimate", "high", "threshold"], rows: [[low, estimate, high ?? "–", threshold]] }} />`;
}

/** `curves` are [{name, points: [{fpr, tpr}]}]: the more a curve keeps to the upper left, the better. */
export function Roc({ caption, curves }) {
  const all = curves.flatMap(({ name, points }) => points.map((point) => ({ name, ...point })));
  const draw = (width) => ({
    width: Math.min(width, 380),
    height: 300,
    x: { label: "false positive rate", domain: [0, 1] },
    y: { label: "true positive rate", domain: [0, 1], grid: true },
    color: { domain: curves.map(({ name }) => name), range: [1, 2, 3, 4, 5, 6, 7, 8].map((n) => `var(--series-${n})`), legend: curves.length > 1 },
    marks: [
      Plot.line([[0, 0], [1, 1]], { stroke: "var(--line-strong)", strokeDasharray: "4,3" }),
      Plot.line(all, { x: "fpr", y: "tpr", stroke: "name", strokeWidth: 2 }),
    ],
  });
  return html`<${Chart} caption=${caption} draw=${draw} table=${{ head: ["curve", "false positive rate", "true positive rate"], rows: all.map((p) => [p.name, p.fpr, p.tpr]) }} />`;
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
    width: Math.min(width, 180 + labels.length * 80),
    height: 40 + top + labels.length * (labels.length > 8 ? 30 : 48),
    marginTop: top,
    marginRight: slanted ? 44 : 20,
    marginLeft: 40 + 6.5 * Math.min(longest, 16),
    padding: 0.04,
    x: { label: "predicted", axis: "top", domain: labels.map(String), tickRotate: slanted ? -40 : 0, labelAnchor: "left" },
    y: { label: "actual", domain: labels.map(String) },
    marks: [
      Plot.cell(cells, { x: "predicted", y: "actual", fill: BLUE, fillOpacity: (d) => 0.05 + 0.4 * d.share }),
      Plot.text(cells, { x: "predicted", y: "actual", text: (d) => number.format(d.count), fill: "var(--ink)", fontSize: 13 }),
    ],
  });
  return html`<${Chart} caption=${caption} draw=${draw} table=${{ head: ["actual", "predicted", "rows"], rows: cells.map((c) => [c.actual, c.predicted, c.count]) }} />`;
}
