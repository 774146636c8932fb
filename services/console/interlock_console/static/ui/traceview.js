// A waterfall with the drawer of the span that is chosen.
import { html } from "../vendor/preact.js";
import { SpanDrawer } from "./spandrawer.js";
import { Waterfall } from "./waterfall.js";

/** `select(span_id)` is called with the chosen span, or null when the drawer closes. */
export function TraceView({ trace, selected, select, now }) {
  const open = trace.open.find((each) => each.span_id === selected);
  const span = trace.spans.find((each) => each.span_id === selected) || (open && { ...open, open: true });
  return html`<${Waterfall} trace=${trace} selected=${selected} select=${select} now=${now} />
    ${span && html`<${SpanDrawer} span=${span} trace=${trace} select=${select} close=${() => select(null)} />`}`;
}
