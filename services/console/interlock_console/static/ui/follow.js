import { useEffect, useState } from "../vendor/preact.js";
import { live } from "../live.js";

/** Subscribe to live events; returns whether the stream is connected. */
export function useLive(filter, onEvent, inputs) {
  const [open, setOpen] = useState(true);
  useEffect(() => live(filter, onEvent, setOpen), inputs);
  return open;
}

/** Throttle: a function that calls `act` after a delay, once for all calls meanwhile. */
export function soonOnce(act, milliseconds = 500) {
  let timer = null;
  return () => {
    timer ??= setTimeout(() => {
      timer = null;
      act();
    }, milliseconds);
  };
}
