// The live tail. EventSource would need every type's name beforehand, and new types must show without a new page;
// so the stream is read as what it is: lines.
import { address } from "./api.js";

const LONGEST_PAUSE = 10_000;

/**
 * Call `heard(type, data)` for each event of `/view/live`; returns a function that stops it.
 * `filter` is {type, run, model}; `changed(open)` hears whether the stream is open. It connects again by itself.
 */
export function live(filter, heard, changed = () => {}) {
  const stop = new AbortController();
  follow(address("/view/live", filter), heard, changed, stop.signal);
  return () => stop.abort();
}

async function follow(path, heard, changed, signal) {
  let pause = 500;
  while (!signal.aborted) {
    try {
      const answer = await fetch(path, { signal, headers: { Accept: "text/event-stream" } });
      if (answer.ok) {
        changed(true);
        pause = 500;
        await read(answer.body, heard);
      }
    } catch {
      // Gone or stopped: the loop's condition and the pause below tell the two apart.
    }
    if (signal.aborted) return;
    changed(false);
    await new Promise((wake) => setTimeout(wake, pause));
    pause = Math.min(pause * 2, LONGEST_PAUSE);
  }
}

async function read(body, heard) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const blocks = (rest + value.replaceAll("\r", "")).split("\n\n");
    rest = blocks.pop();
    for (const block of blocks) tell(block, heard);
  }
}

function tell(block, heard) {
  const lines = block.split("\n");
  const field = (name) => lines.filter((line) => line.startsWith(`${name}:`)).map((line) => line.slice(name.length + 1).trimStart());
  const data = field("data").join("\n");
  if (data) heard(field("event")[0] || "message", JSON.parse(data));
}
