import { useEffect, useState } from "../vendor/preact.js";
import { live } from "../live.js";

/** Call `heard(type, data)` for what the live tail says; returns whether it is connected. */
export function useLive(filter, heard, inputs) {
  const [open, setOpen] = useState(true);
  useEffect(() => live(filter, heard, setOpen), inputs);
  return open;
}

/** A function that calls `act` soon, once for all calls meanwhile: events come in bursts, and eyes are slow. */
export function soonOnce(act, milliseconds = 500) {
  let timer = null;
  return () => {
    timer ??= setTimeout(() => {
      timer = null;
      act();
    }, milliseconds);
  };
}
