// Keyboard shortcuts of pages, and the list of them that `?` shows.
import { html, useEffect, useRef, useState } from "../vendor/preact.js";

const layers = [];

function typing(target) {
  return target.isContentEditable || ["INPUT", "TEXTAREA", "SELECT"].includes(target.tagName);
}

addEventListener("keydown", (event) => {
  if (event.metaKey || event.ctrlKey || event.altKey || document.querySelector("dialog[open]")) return;
  if (typing(event.target)) {
    if (event.key === "Escape") event.target.blur();
    return;
  }
  // The newest layer goes first: an open drawer's Escape before the page's.
  const found = [...layers].reverse().find((layer) => layer.current[event.key]);
  if (!found) return;
  event.preventDefault();
  found.current[event.key][0](event);
});

/** Register shortcuts while the component is mounted: {key: [action, description]}. */
export function useKeys(keys) {
  const layer = useRef(keys);
  layer.current = keys;
  useEffect(() => {
    layers.push(layer);
    return () => void layers.splice(layers.indexOf(layer), 1);
  }, []);
}

/** The list of active shortcuts. */
export function KeyHelp() {
  const [shown, setShown] = useState(false);
  const dialog = useRef(null);
  useKeys({ "?": [() => setShown(true), "Show keyboard shortcuts"] });
  useEffect(() => {
    if (shown) dialog.current.showModal();
  }, [shown]);
  if (!shown) return null;
  const known = new Map(layers.flatMap((layer) => Object.entries(layer.current)).map(([key, [, words]]) => [key, words]));
  return html`<dialog ref=${dialog} aria-label="Keyboard shortcuts" onClose=${() => setShown(false)}>
    <div class="stack">
      <h2>Keyboard shortcuts</h2>
      <dl class="keys">${[...known].map(([key, words]) => html`<div class="row"><dt><kbd>${key}</kbd></dt><dd>${words}</dd></div>`)}</dl>
    </div>
    <div class="actions"><button type="button" onClick=${() => dialog.current.close()}>Close</button></div>
  </dialog>`;
}
