// One trace by its id: what `/runs/{id}` shows below its stages, for any trace.
import { html, useMemo } from "../vendor/preact.js";
import { address, get } from "../api.js";
import { go } from "../router.js";
import { Badge } from "../ui/badge.js";
import { Copy } from "../ui/copy.js";
import { Loaded, useData } from "../ui/data.js";
import { Facts, Head } from "../ui/head.js";
import { soonOnce, useLive } from "../ui/follow.js";
import { At, nanoseconds, useNow } from "../ui/time.js";
import { TraceView } from "../ui/traceview.js";

export default function Trace({ params: { id }, query }) {
  const trace = useData(() => get(`/view/traces/${id}`), [id]);
  const soon = useMemo(() => soonOnce(trace.reload), [trace.reload]);
  useLive({}, (type, data) => type === "spans" && data.trace_ids.includes(id) && soon(), [soon]);
  // The choice stands in the address, so that a link can lead to one span.
  const select = (span) => go(address(`/traces/${id}`, { span }), { replace: true });

  return html`
    <${Head} title="Trace" trail=${[["Traces", "/traces"]]} badges=${html`<code>${id}</code><${Copy} text=${id} what="the trace ID" />`}
      actions=${html`<a class="button" href="/view/traces/${id}/otlp" download="trace-${id}.json">OTLP JSON</a>`} />
    <${Loaded} of=${trace}>${(known) => html`<${Known} trace=${known} selected=${query.span ?? null} select=${select} />`}<//>`;
}

function Known({ trace, selected, select }) {
  const now = useNow(trace.open.length ? 1000 : 0).getTime() * 1e6;
  const begin = Math.min(...trace.spans.map((span) => span.start_ns));
  const end = Math.max(...trace.spans.map((span) => span.start_ns + span.duration_ns));
  const failed = trace.spans.filter((span) => span.status === "ERROR").length;
  const runs = [...new Set(trace.spans.map((span) => span.attributes["cicd.pipeline.run.id"]).filter(Boolean))];
  return html`<div class="stack">
    <div class="card"><${Facts} of=${[
      ["Started", html`<${At} at=${begin / 1e6} />`],
      ["Duration", nanoseconds(end - begin)],
      ["Spans", trace.spans.length],
      ["Services", new Set(trace.spans.map((span) => span.service)).size],
      ["Failed spans", failed > 0 ? html`<${Badge} lamp="refused">${failed}<//>` : null],
      ["Still open", trace.open.length > 0 ? html`<${Badge} state="open">${trace.open.length}<//>` : null],
      ["Runs", runs.length > 0 ? runs.map((run) => html`<a class="mono" href="/runs/${run}">${run.slice(0, 8)}</a> `) : null],
    ]} /></div>
    <section class="card" aria-label="Waterfall"><${TraceView} trace=${trace} selected=${selected} select=${select} now=${now} /></section>
  </div>`;
}
