// Client of server-sent events. EventSource needs every event type's name beforehand, and new types must show without
// a new page; so the stream is parsed here.
import { address } from "./api.js";

const MAX_BACKOFF = 10_000;

/**
 * Call `onEvent(type, data)` for each event of `/view/live`; returns a function that stops it.
 * `filter` is {type, run, model}; `changed(open)` is called when the stream opens or closes. Reconnects with backoff.
 */
export function live(filter, onEvent, changed = () => {}) {
  const stop = new AbortController();
  follow(address("/view/live", filter), onEvent, changed, stop.signal);
  return () => stop.abort();
}

async function follow(path, onEvent, changed, signal) {
  let backoff = 500;
  while (!signal.aborted) {
    try {
      const answer = await fetch(path, { signal, headers: { Accept: "text/event-stream" } });
      if (answer.ok) {
        changed(true);
        backoff = 500;
        await read(answer.body, onEvent);
      }
    } catch {
      // Connection lost, or aborted: the check below tells the two apart.
    }
    if (signal.aborted) return;
    changed(false);
    await new Promise((wake) => setTimeout(wake, backoff));
    backoff = Math.min(backoff * 2, MAX_BACKOFF);
  }
}

async function read(body, onEvent) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const blocks = (rest + value.replaceAll("\r", "")).split("\n\n");
    rest = blocks.pop();
    for (const block of blocks) dispatch(block, onEvent);
  }
}

function dispatch(block, onEvent) {
  const lines = block.split("\n");
  const field = (name) => lines.filter((line) => line.startsWith(`${name}:`)).map((line) => line.slice(name.length + 1).trimStart());
  const data = field("data").join("\n");
  if (data) onEvent(field("event")[0] || "message", JSON.parse(data));
}
