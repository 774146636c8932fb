import { html, useEffect, useRef } from "../vendor/preact.js";
import { useKeys } from "./keys.js";

/** Non-modal drawer with details; Escape closes it and returns the focus. */
export function Drawer({ title, close, children }) {
  const aside = useRef(null);
  useKeys({ Escape: [close, "Close details"] });
  useEffect(() => {
    const before = document.activeElement;
    aside.current.focus({ preventScroll: true });
    return () => before?.focus?.({ preventScroll: true });
  }, []);
  return html`<aside class="drawer" aria-label=${title} tabindex="-1" ref=${aside}>
    <header><h2>${title}</h2><button type="button" class="plain" onClick=${close} aria-label="Close">✕</button></header>
    ${children}
  </aside>`;
}
