// Data loading of pages: loading state, errors, reload.
import { html, useCallback, useEffect, useRef, useState } from "../vendor/preact.js";
import { get } from "../api.js";
import { HealthNotices } from "./health.js";

/**
 * Ask by `load()` at first and whenever `inputs` change: {data, problem, reload}.
 * A reload keeps the old data until the new is there, so that live pages do not flicker.
 */
export function useData(load, inputs = []) {
  const [state, setState] = useState({ data: undefined, problem: null });
  const turn = useRef(0);
  const latest = useRef(null);
  const reload = useCallback(async () => {
    if (latest.current !== reload) return; // a timer of before the inputs changed: its answer would be another filter's
    const mine = ++turn.current;
    try {
      const data = await load();
      if (mine === turn.current) setState({ data, problem: null });
    } catch (problem) {
      if (mine === turn.current) setState((before) => ({ ...before, problem }));
    }
  }, inputs);
  useEffect(() => {
    latest.current = reload;
    setState({ data: undefined, problem: null });
    reload();
    return () => {
      latest.current = null;
      turn.current += 1;
    };
  }, [reload]);
  return { ...state, reload };
}

/** Show what `useData` found: `children` is a function of the data. */
export function Loaded({ of: { data, problem, reload }, children }) {
  if (data === undefined && problem) return html`<${Failure} problem=${problem} retry=${reload} />`;
  if (data === undefined) return html`<${Loading} />`;
  return html`${problem && html`<${Failure} problem=${problem} retry=${reload} />`}${children(data)}`;
}

/** What takes longer than that may wait for a service that hangs; the console knows which, and what goes on. */
const PATIENCE = 3000;

export function Loading() {
  const [services, setServices] = useState([]);
  useEffect(() => {
    const look = () => get("/view/status").then((status) => setServices(status.services), () => {});
    const timer = setTimeout(look, PATIENCE);
    return () => clearTimeout(timer);
  }, []);
  return html`<p class="loading" role="status">Loading…</p><${HealthNotices} services=${services} />`;
}

/** A problem in words; `retry` offers another try, unless what was asked for is gone for good. */
export function Failure({ problem, retry }) {
  return html`<div class="notice refused" role="alert">
    <strong>${problem.title || "Something went wrong"}</strong>
    <p>${problem.message}</p>
    ${(problem.errors || []).map((error) => html`<p class="soft">${[error.pointer || error.field, error.detail].filter(Boolean).join(": ")}</p>`)}
    ${retry && problem.status !== 410 && html`<button type="button" onClick=${retry}>Try again</button>`}
  </div>`;
}
