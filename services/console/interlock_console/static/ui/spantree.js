// A trace's spans as a tree in the order in which they are drawn.

/**
 * The rows of a trace: [{span, depth, children, service}], parents before their children, by start.
 * A missing parent is a row, too (`span.open`): a span is sent when it ends, so it is still running.
 */
export function rowsOf(trace, closed, filter) {
  const spans = [...trace.spans, ...trace.open.map(missing)];
  const below = new Map();
  const here = new Set(spans.map((span) => span.span_id));
  for (const span of spans) {
    const parent = here.has(span.parent_id) ? span.parent_id : null;
    below.set(parent, [...(below.get(parent) || []), span]);
  }
  const wanted = filter ? fitting(spans, filter) : null;
  const rows = [];
  const visit = (parent, depth) => {
    for (const span of (below.get(parent) || []).sort((a, b) => a.start_ns - b.start_ns)) {
      if (wanted && !wanted.has(span.span_id)) continue;
      const children = (below.get(span.span_id) || []).length;
      rows.push({ span, depth, children });
      if (wanted || !closed.has(span.span_id)) visit(span.span_id, depth + 1);
    }
  };
  visit(null, 0);
  return rows;
}

function missing({ span_id, since_ns }) {
  return { span_id, parent_id: null, name: "still open", service: "", start_ns: since_ns, duration_ns: null, open: true, attributes: {} };
}

/** The ids of spans in which the words occur, and of all above them. */
function fitting(spans, filter) {
  const words = filter.toLowerCase().split(/\s+/);
  const by = new Map(spans.map((span) => [span.span_id, span]));
  const wanted = new Set();
  for (const span of spans) {
    const text = `${span.service} ${span.label ?? span.name} ${JSON.stringify(span.attributes)} ${span.status}`.toLowerCase();
    if (!words.every((word) => text.includes(word))) continue;
    for (let at = span; at && !wanted.has(at.span_id); at = by.get(at.parent_id)) wanted.add(at.span_id);
  }
  return wanted;
}
