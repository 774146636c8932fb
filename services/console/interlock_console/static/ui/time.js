// Times and durations for people. The API gives instants as ISO text and spans in nanoseconds.
import { html, useEffect, useState } from "../vendor/preact.js";

const UNITS = [["d", 86_400], ["h", 3_600], ["m", 60]];

/** "840 µs", "12 ms", "3.4 s", "2 m 05 s" from seconds. */
export function duration(seconds) {
  if (seconds === null || seconds === undefined || Number.isNaN(seconds)) return "–";
  if (seconds < 0.001) return `${Math.round(seconds * 1e6)} µs`;
  if (seconds < 1) return `${Number((seconds * 1e3).toPrecision(3))} ms`;
  if (seconds < 60) return `${seconds.toFixed(seconds < 10 ? 2 : 1)} s`;
  const whole = Math.round(seconds);
  const at = UNITS.findIndex(([, size]) => whole >= size);
  const [unit, size] = UNITS[at];
  const [smaller, less] = UNITS[at + 1] || ["s", 1];
  return `${Math.floor(whole / size)} ${unit} ${String(Math.floor((whole % size) / less)).padStart(2, "0")} ${smaller}`;
}

export const nanoseconds = (ns) => duration(ns / 1e9);

const clock = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });

/** An exact time, in the browser's language. */
export function At({ at }) {
  const date = new Date(at);
  return html`<time datetime=${date.toISOString()}>${clock.format(date)}</time>`;
}

/** A relative time ("3 min ago"); the exact time is its title. */
export function Ago({ at }) {
  const now = useNow(10_000);
  if (!at) return html`<span class="faint">–</span>`;
  const date = new Date(at);
  const seconds = (now - date) / 1000;
  const words = seconds < 10 ? "just now" : seconds < 60 ? `${Math.floor(seconds)} s ago` : seconds < 3600 ? `${Math.floor(seconds / 60)} min ago`
    : seconds < 86_400 ? `${Math.floor(seconds / 3600)} h ago` : date.toLocaleDateString();
  return html`<time datetime=${date.toISOString()} title=${clock.format(date)}>${words}</time>`;
}

/** How long from `start` to `end`, or to now while there is no end. */
export function Lasted({ start, end }) {
  const now = useNow(end ? 0 : 1000);
  if (!start) return html`<span class="faint">–</span>`;
  return html`<span>${duration(Math.max(0, (end ? new Date(end) : now) - new Date(start)) / 1000)}</span>`;
}

/** The time now, anew every `every` milliseconds; 0 is never. */
export function useNow(every) {
  const [now, setNow] = useState(() => new Date());
  useEffect(() => {
    if (!every) return undefined;
    const timer = setInterval(() => setNow(new Date()), every);
    return () => clearInterval(timer);
  }, [every]);
  return now;
}
