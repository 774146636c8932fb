import { html, useEffect, useRef } from "../vendor/preact.js";
import { useKeys } from "./keys.js";

/** Details beside the page, which stays usable; Escape closes it, and the focus goes back to where it was. */
export function Drawer({ title, close, children }) {
  const aside = useRef(null);
  useKeys({ Escape: [close, "Close the drawer"] });
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
