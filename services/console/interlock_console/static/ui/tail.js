// Live tail of a filter: the newest stored events, live ones, and older pages on request.
import { useCallback, useEffect, useRef, useState } from "../vendor/preact.js";
import { address, get } from "../api.js";
import { live } from "../live.js";

const ASKED = 100;
const KEPT = 500;
const always = () => true;

/** `filter` is {type, model, run}. While paused, new events are buffered and counted. */
export function useTail(filter) {
  const [events, setEvents] = useState(undefined);
  const [problem, setProblem] = useState(null);
  const [open, setOpen] = useState(false);
  const [paused, setPaused] = useState(false);
  const [waiting, setWaiting] = useState([]);
  const [left, setLeft] = useState(0);
  const [next, setNext] = useState(null);
  const held = useRef(false);
  const room = useRef(KEPT);

  const take = (more) => setEvents((before = []) => merged(more, before, room.current));

  async function load(before, wanted = always) {
    try {
      const found = await get(address("/view/events", { ...filter, before, limit: ASKED }));
      if (!wanted()) return;
      take(found.events);
      setNext(found.before ?? null);
      setProblem(null);
    } catch (error) {
      if (wanted()) setProblem(error);
    }
  }

  useEffect(() => {
    let here = true;
    let opened = false;
    const again = () => load(undefined, () => here);
    function onEvent(type, event) {
      if (!here) return; // a late event of the previous filter
      if (type === "dropped") setLeft((before) => before + event.events);
      else if (type === "reset") again();
      else if (type !== "spans") (held.current ? setWaiting((before) => merged([event], before, KEPT)) : take([event]));
    }
    const stop = live(filter, onEvent, (now) => {
      setOpen(now);
      if (now && opened) again(); // events in between are not replayed
      opened ||= now;
    });
    setEvents(undefined);
    setLeft(0);
    again();
    return () => {
      here = false;
      stop();
    };
  }, [filter.type, filter.model, filter.run]);

  const turn = useCallback(() => {
    held.current = !held.current;
    setPaused(held.current);
  }, []);
  useEffect(() => {
    if (paused || !waiting.length) return;
    take(waiting);
    setWaiting([]);
  }, [paused, waiting]);

  function older() {
    room.current += ASKED;
    return load(next);
  }
  return { events, problem, open, paused, waiting: waiting.length, left, turn, older: next && older };
}

/** Each event once, the newest first. */
function merged(more, before, room) {
  const all = new Map([...before, ...more].map((event) => [event.id, event]));
  return [...all.values()].sort((a, b) => b.time.localeCompare(a.time)).slice(0, room);
}
