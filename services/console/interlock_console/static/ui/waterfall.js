// A trace as a waterfall. Only the rows in sight are in the document: a trace may have thousands.
import { html, useEffect, useMemo, useRef, useState } from "../vendor/preact.js";
import { useKeys } from "./keys.js";
import { rowsOf } from "./spantree.js";
import { nanoseconds } from "./time.js";
import { Ruler, scale } from "./timeline.js";

const NARROW = matchMedia("(max-width: 760px)");
const AROUND = 12;

const short = (service) => service.replace(/^interlock[-_.]/, "");

/** `trace` as the view tells it; `selected` is a span's id or null; `now` is where open spans reach to. */
export function Waterfall({ trace, selected, select, now }) {
  const [filter, setFilter] = useState("");
  const [closed, setClosed] = useState(new Set());
  const box = useRef(null);
  const search = useRef(null);
  const rows = useMemo(() => rowsOf(trace, closed, filter.trim()), [trace, closed, filter]);
  const services = useMemo(() => [...new Set(trace.spans.map((span) => span.service))].sort(), [trace]);
  const end = (span) => (span.duration_ns === null ? Math.max(now, span.start_ns) : span.start_ns + span.duration_ns);
  const all = rows.length ? rows : rowsOf(trace, new Set(), "");
  const on = scale(Math.min(...all.map(({ span }) => span.start_ns)), Math.max(...all.map(({ span }) => end(span))));
  const [height, seen] = useWindow(box, rows.length);

  const at = rows.findIndex(({ span }) => span.span_id === selected);
  const go = (place) => rows[place] && select(rows[place].span.span_id);
  const fold = (id, shut) => setClosed((before) => {
    const after = new Set(before);
    if (shut) after.add(id);
    else after.delete(id);
    return after;
  });
  useKeys({
    j: [() => go(Math.min(at + 1, rows.length - 1)), "Next span"],
    k: [() => go(Math.max(at - 1, 0)), "Previous span"],
    h: [() => at >= 0 && fold(selected, true), "Collapse the span"],
    l: [() => at >= 0 && fold(selected, false), "Expand the span"],
    "/": [() => search.current.focus(), "Filter spans"],
  });
  useEffect(() => {
    const { scrollTop, clientHeight } = box.current;
    if (at >= 0 && (at * height < scrollTop || (at + 2) * height > scrollTop + clientHeight)) box.current.scrollTop = at * height - clientHeight / 3;
  }, [selected]);

  return html`<div class="waterfall">
    <div class="row tools">
      <input type="search" ref=${search} value=${filter} placeholder="Filter: name, service, attribute" aria-label="Filter spans" onInput=${(event) => setFilter(event.target.value)} />
      <span class="faint" role="status">${rows.length} of ${trace.spans.length + trace.open.length} spans</span>
      <ul class="legend">${services.map((service, place) => html`<li key=${service} class="series-${(place % 8) + 1}">${short(service)}</li>`)}</ul>
    </div>
    <div class="span-row scale" aria-hidden="true"><span></span><${Ruler} on=${on} /></div>
    <div class="rows" ref=${box} role="region" aria-label="Spans" tabindex="0">
      <ol style=${{ height: `${rows.length * height}px` }}>
        ${rows.slice(seen[0], seen[1]).map((row, place) => html`<${Row} key=${row.span.span_id} row=${row} top=${(seen[0] + place) * height} height=${height} on=${on} end=${end(row.span)}
          series=${(services.indexOf(row.span.service) % 8) + 1} chosen=${row.span.span_id === selected} closed=${closed.has(row.span.span_id)} select=${select} fold=${fold} />`)}
      </ol>
    </div>
  </div>`;
}

function Row({ row: { span, depth, children }, top, height, on, end, series, chosen, closed, select, fold }) {
  const failed = span.status === "ERROR";
  const took = nanoseconds(end - span.start_ns);
  const words = `, at ${nanoseconds(span.start_ns - on.from)}, ${span.open ? "for" : "took"} ${took}${failed ? `, failed: ${span.status_message}` : ""}`;
  return html`<li class="span-row ${chosen ? "chosen" : ""}" style=${{ top: `${top}px`, height: `${height}px` }}>
    <div class="name" style=${{ paddingLeft: `${Math.min(depth, 14) * 13 + 4}px` }}>
      ${children > 0 ? html`<button type="button" class="fold" aria-expanded=${!closed} aria-label="Children of ${span.label ?? span.name}" onClick=${() => fold(span.span_id, !closed)}>${closed ? "▸" : "▾"}</button>` : html`<i></i>`}
      <button type="button" class="open" aria-current=${chosen ? "true" : undefined} onClick=${() => select(span.span_id)}>
        ${failed && html`<b aria-hidden="true">✕</b>`}${span.label ?? span.name}<span class="faint">${closed ? `+${children}` : short(span.service)}</span><span class="hidden">${words}</span>
      </button>
    </div>
    <div class="track" onClick=${() => select(span.span_id)} aria-hidden="true">
      <span class="span series-${series} ${failed ? "failed" : ""} ${span.open ? "open" : ""}" style=${{ left: on.left(span.start_ns), width: on.width(span.start_ns, end) }}></span>
      <span class="took" style=${(end - on.from) / (on.to - on.from) > 0.85 ? { right: `calc(100% - ${on.left(span.start_ns)} + 4px)` } : { left: `calc(${on.left(end)} + 6px)` }}>${took}</span>
    </div>
  </li>`;
}

/** [height of a row, [first, last] row in sight]. */
function useWindow(box, count) {
  const [height, setHeight] = useState(NARROW.matches ? 44 : 27);
  const [seen, setSeen] = useState([0, 60]);
  useEffect(() => {
    const look = () => {
      if (!box.current) return;
      const first = Math.max(0, Math.floor(box.current.scrollTop / height) - AROUND);
      setSeen([first, first + Math.ceil(box.current.clientHeight / height) + 2 * AROUND]);
    };
    const turn = () => setHeight(NARROW.matches ? 44 : 27);
    look();
    const element = box.current;
    element.addEventListener("scroll", look, { passive: true });
    addEventListener("resize", look);
    NARROW.addEventListener("change", turn);
    return () => {
      element.removeEventListener("scroll", look);
      removeEventListener("resize", look);
      NARROW.removeEventListener("change", turn);
    };
  }, [height, count]);
  return [height, seen];
}
