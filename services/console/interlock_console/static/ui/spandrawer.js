// Details of one span.
import { html } from "../vendor/preact.js";
import { Badge } from "./badge.js";
import { Copy } from "./copy.js";
import { Drawer } from "./drawer.js";
import { Facts } from "./head.js";
import { nanoseconds } from "./time.js";

/** `select(span_id)` is called for a link to another span of the same trace. */
export function SpanDrawer({ span, trace, select, close }) {
  const begin = Math.min(...trace.spans.map((each) => each.start_ns));
  const parent = trace.spans.find((each) => each.span_id === span.parent_id);
  if (span.open) {
    return html`<${Drawer} title="Still open" close=${close}>
      <p>A span is sent when it ends. This one has children but has not arrived: it is still running, or its process died.</p>
      <${Id} name="Span" id=${span.span_id} />
    <//>`;
  }
  return html`<${Drawer} title=${span.label ?? span.name} close=${close}>
    <${Facts} of=${[
      ["Service", span.service],
      ["Start", `+${nanoseconds(span.start_ns - begin)}`],
      ["Duration", nanoseconds(span.duration_ns)],
      ["Kind", span.kind],
      ["Status", html`<${Badge} state=${span.status.toLowerCase()} />`],
      ["Parent", parent && html`<a href="/traces/${trace.trace_id}?span=${parent.span_id}">${parent.label ?? parent.name}</a>`],
    ]} />
    ${span.status_message && html`<p class="notice refused">${span.status_message}</p>`}
    <${Pairs} title="Attributes" of=${span.attributes} />
    ${span.events.length > 0 && html`<section><h3>Events</h3>${span.events.map((event) => html`<div class="entry">
      <p><strong>${event.name}</strong> <span class="faint">+${nanoseconds(event.time_ns - span.start_ns)}</span></p>
      <${Pairs} of=${event.attributes} />
    </div>`)}</section>`}
    <${Links} title="Links to" links=${span.links} here=${trace} select=${select} />
    <${Links} title="Linked from" links=${span.linked_from} here=${trace} select=${select} />
    <${Pairs} title="Resource" of=${span.resource || {}} />
    <section><h3>IDs</h3><${Id} name="Span" id=${span.span_id} /><${Id} name="Trace" id=${trace.trace_id} />
      <a class="button" href="/view/traces/${trace.trace_id}/otlp" download="trace-${trace.trace_id}.json">Download trace as OTLP JSON</a></section>
  <//>`;
}

function Id({ name, id }) {
  return html`<div class="row id"><span class="faint">${name}</span><code>${id}</code><${Copy} text=${id} what="the ${name.toLowerCase()} ID" /></div>`;
}

function Pairs({ title, of }) {
  const pairs = Object.entries(of);
  if (!pairs.length) return null;
  return html`<section>${title && html`<h3>${title}</h3>`}<dl class="pairs">
    ${pairs.map(([name, value]) => html`<div key=${name}><dt>${name}</dt><dd>${typeof value === "object" ? JSON.stringify(value) : String(value)}</dd></div>`)}
  </dl></section>`;
}

function Links({ title, links, here, select }) {
  if (!links.length) return null;
  return html`<section><h3>${title}</h3>${links.map((link) => {
    const known = link.trace_id === here.trace_id && here.spans.find((each) => each.span_id === link.span_id);
    const name = link.name || known?.name || `span ${link.span_id} of another trace`;
    const choose = (event) => {
      event.preventDefault();
      select(link.span_id);
    };
    return html`<p class="entry"><a href="/traces/${link.trace_id}?span=${link.span_id}" onClick=${known ? choose : undefined}>${name}</a> <span class="faint">${link.service || known?.service || ""}</span></p>
      ${link.attributes && html`<${Pairs} of=${link.attributes} />`}`;
  })}</section>`;
}
