import { html, useState } from "../vendor/preact.js";

const NEXT = { system: "light", light: "dark", dark: "system" };

/** Turns from the system's theme to light to dark. */
export function ThemeSwitch() {
  const [theme, setTheme] = useState(document.documentElement.dataset.theme || "system");
  function turn() {
    const next = NEXT[theme];
    if (next === "system") {
      delete document.documentElement.dataset.theme;
      localStorage.removeItem("theme");
    } else {
      document.documentElement.dataset.theme = next;
      localStorage.setItem("theme", next);
    }
    setTheme(next);
  }
  return html`<button class="plain" onClick=${turn} title="Theme: system, light or dark" aria-label="Theme: ${theme}">
    ${{ system: "◐", light: "☀", dark: "☾" }[theme]}<span class="wide"> ${theme}</span>
  </button>`;
}
