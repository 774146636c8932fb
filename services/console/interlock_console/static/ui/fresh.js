import { useEffect, useState } from "../vendor/preact.js";
import { live } from "../live.js";

// Events come in bursts; reloads are throttled.
const PAUSE = 1500;

/**
 * Call `reload` soon after each event of `filter` whose type begins with one of `kinds`, a burst of them once.
 * Returns whether the stream is open.
 */
export function useFresh(reload, kinds, filter = {}) {
  const [open, setOpen] = useState(true);
  useEffect(() => {
    let timer = null;
    const onEvent = (type) => {
      if (timer || !kinds.some((kind) => type.startsWith(kind))) return;
      timer = setTimeout(() => {
        timer = null;
        reload();
      }, PAUSE);
    };
    const stop = live(filter, onEvent, setOpen);
    return () => {
      stop();
      clearTimeout(timer);
    };
  }, [reload]);
  return open;
}
