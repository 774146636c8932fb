// Dead letters: messages that no consumer could handle, with their errors; to be replayed or discarded.
import { html, useState } from "../vendor/preact.js";
import { address, get, post, remove } from "../api.js";
import { go } from "../router.js";
import { Copy } from "../ui/copy.js";
import { Loaded, useData } from "../ui/data.js";
import { Confirm } from "../ui/dialog.js";
import { Drawer } from "../ui/drawer.js";
import { Empty } from "../ui/empty.js";
import { Facts, Head } from "../ui/head.js";
import { useKeys } from "../ui/keys.js";
import { bytes, count } from "../ui/numbers.js";
import { Table } from "../ui/table.js";
import { Ago } from "../ui/time.js";

const LIMIT = 100;

export default function DeadLetters({ query: { queue = "", before = "" } }) {
  const letters = useData(() => get(address("/gateway/dead-letters", { queue, before, limit: LIMIT })), [queue, before]);
  const [chosen, setChosen] = useState(null);
  const [notice, setNotice] = useState("");
  useKeys({ "/": [() => document.getElementById("queue").focus(), "Focus the filter"] });

  function done(what) {
    setChosen(null);
    setNotice(what);
    letters.reload();
  }

  const columns = [
    { title: "Failed", cell: ([letter]) => html`<${Ago} at=${letter.died_at} />`, tight: true },
    { title: "Event", cell: (letters) => html`<button type="button" class="plain link mono" onClick=${() => setChosen(letters)}>${letters[0].event_type ?? "malformed"}</button>`, tight: true },
    { title: "Queue", cell: (letters) => letters.map(({ queue }) => html`<div class="mono">${queue}</div>`) },
    { title: "Error", cell: (letters) => [...new Set(letters.map(({ reason }) => reason))].map((reason) => html`<span class="reason">${reason}</span>`) },
    { title: "Attempts", cell: (letters) => count(Math.max(...letters.map(({ attempts }) => attempts))), right: true, tight: true },
    { title: "Trace", cell: ([letter]) => letter.trace_id && html`<a class="mono" href="/traces/${letter.trace_id}">${letter.trace_id.slice(0, 8)}</a>`, tight: true },
  ];
  return html`
    <${Head} title="Dead letters" actions=${html`<${Filter} key=${queue} queue=${queue} />`} />
    <div class="stack">
      <p class="notice proven" role="status" hidden=${!notice}>${notice}</p>
      <${Loaded} of=${letters}>${(rows) => (rows.length
        ? html`<div class="card flush"><${Table} caption="Dead letters, newest first" columns=${columns} rows=${byMessage(rows)} id=${([letter]) => letter.id} pick=${setChosen} /></div>
            ${rows.length === LIMIT && html`<a href=${address("/dead-letters", { queue, before: rows.at(-1).died_at })}>Older messages</a>`}`
        : html`<div class="card">${nothing(queue, before)}</div>`)}<//>
    </div>
    ${chosen && html`<${Message} key=${chosen[0].id} letters=${chosen} close=${() => setChosen(null)} done=${done} />`}`;
}

/** Letters of one event, one for each queue that it died in, are one row. */
function byMessage(letters) {
  const groups = new Map();
  for (const letter of letters) {
    const message = letter.event_id ? `${letter.event_type} ${letter.event_id}` : letter.id;
    groups.set(message, [...(groups.get(message) ?? []), letter]);
  }
  return [...groups.values()];
}

function Filter({ queue }) {
  function submit(event) {
    event.preventDefault();
    go(address("/dead-letters", { queue: new FormData(event.target).get("queue").trim() }));
  }
  return html`<form class="filters" role="search" onSubmit=${submit}>
    <input id="queue" name="queue" defaultValue=${queue} placeholder="Queue" aria-label="Filter by queue" />
    <button>Filter</button>
    ${queue && html`<button type="button" class="plain" onClick=${() => go("/dead-letters")}>Clear filter</button>`}
  </form>`;
}

function nothing(queue, before) {
  if (before) return html`<${Empty} title="No older dead letters" />`;
  if (queue) return html`<${Empty} title="No dead letters in ${queue}" command="interlock dead-letters list">A queue is named by its consumer and event type, for example registry.training.completed.<//>`;
  return html`<${Empty} title="No dead letters" command="interlock dead-letters list">Messages that cannot be retried, or have failed six times, appear here with their error.<//>`;
}

/** Where it died in several queues, one of them is chosen: each is replayed or discarded on its own. */
function Message({ letters, close, done }) {
  const [id, setId] = useState(letters[0].id);
  return html`<${Drawer} title=${letters[0].event_type ?? "Dead letter"} close=${close}>
    ${letters.length > 1 && html`<div class="row" role="group" aria-label="Queues">
      ${letters.map((letter) => html`<button type="button" class="mono" aria-pressed=${String(letter.id === id)} onClick=${() => setId(letter.id)}>${letter.queue}</button>`)}
    </div>`}
    <${Letter} key=${id} id=${id} done=${done} />
  <//>`;
}

function Letter({ id, done }) {
  const letter = useData(() => get(`/gateway/dead-letters/${id}`), [id]);
  const [asked, setAsked] = useState(null);
  return html`<${Loaded} of=${letter}>${(found) => {
      const content = found.text ?? JSON.stringify(found.data, null, 2);
      return html`
        <p class="notice refused reason">${found.reason}</p>
        <div class="row">
          <button type="button" class="primary" onClick=${() => setAsked("replay")}>Replay</button>
          <button type="button" class="danger" onClick=${() => setAsked("discard")}>Discard</button>
        </div>
        <${Facts} of=${[
          ["Queue", html`<span class="mono">${found.queue}</span>`],
          ["Failed", html`<${Ago} at=${found.died_at} />`],
          ["Attempts", count(found.attempts)],
          ["Size", bytes(found.bytes)],
          ["Subject", found.subject && html`<span class="mono">${found.subject}</span>`],
          ["Trace", found.trace_id && html`<a class="mono" href="/traces/${found.trace_id}">${found.trace_id.slice(0, 12)}</a>`],
          ["Event ID", found.event_id && html`<span class="mono">${found.event_id}</span>`],
          ["Message ID", html`<span class="mono">${found.id}</span>`],
        ]} />
        <div class="row"><h3>Content</h3><${Copy} text=${content} what="the content" /></div>
        <pre class="json" tabindex="0">${content}</pre>
        <details><summary>Headers</summary><pre class="json" tabindex="0">${JSON.stringify(found.headers, null, 2)}</pre></details>
        ${asked && html`<${Decision} kind=${asked} letter=${found} close=${(acted) => {
          setAsked(null);
          if (acted) done(asked === "replay" ? "The message is back in its queue; if it fails again, it returns here." : "The message was discarded.");
        }} />`}`;
    }}<//>`;
}

function Decision({ kind, letter, close }) {
  const path = `/gateway/dead-letters/${letter.id}`;
  if (kind === "replay") {
    return html`<${Confirm} title="Replay this message?" verb="Replay" close=${close} act=${() => post(`${path}/replay`)}>
      <p>It is added to the end of <code>${letter.queue}</code>. If it was handled before, it has no second effect.</p><//>`;
  }
  return html`<${Confirm} title="Discard this message?" verb="Discard" danger close=${close} act=${() => remove(path)}>
    <p>Its content is lost and cannot be replayed. The action is recorded in the audit log.</p><//>`;
}
