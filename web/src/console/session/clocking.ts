import { useEffect, useRef } from "react";
import type { Log } from "@/console/session/data/events";
import { readMoment, secondsOf } from "@/console/session/model/moments";
import type { LogEvent } from "@/console/session/model/shapes";
import { toldAt } from "@/console/session/model/work";
import type { Clock } from "@/console/session/player/clock";

/** How often the end of a live session moves on, in milliseconds. */
const STEP = 100;

/** The clock knows how long the session is; of a live one, it grows with time, from the last event on. */
export function useLive(clock: Clock, duration: number, events: readonly LogEvent[], live: boolean): void {
  const last = events.at(-1);
  const edge = useRef({ seconds: 0, seen: 0 });
  useEffect(() => {
    const known = Math.max(duration, last ? toldAt(last) : 0);
    if (known > edge.current.seconds) edge.current = { seconds: known, seen: performance.now() };
    if (!live) clock.ended(edge.current.seconds);
  }, [clock, duration, last, live]);
  useEffect(() => {
    if (!live) return;
    const timer = window.setInterval(() => {
      const { seconds, seen } = edge.current;
      clock.edge(seconds + (performance.now() - seen) / 1_000);
    }, STEP);
    return () => window.clearInterval(timer);
  }, [clock, live]);
}

/** Where the clock stands at first: at the moment the address names; else a live session is followed, a past one begins. */
export function useOpening(clock: Clock, log: Log, live: boolean, onEvent: (seq: number) => void): void {
  const done = useRef(false);
  useEffect(() => {
    if (done.current) return;
    const moment = readMoment(window.location.search);
    if (moment === null) {
      done.current = true;
      if (live) clock.follow();
      return;
    }
    const seconds = secondsOf(moment, log.buffer);
    if (seconds === undefined || (!log.complete && seconds > clock.duration)) return;
    done.current = true;
    clock.setDuration(Math.max(clock.duration, seconds));
    clock.seek(seconds);
    if ("event" in moment) onEvent(moment.event);
  }, [clock, log, live, onEvent]);
}
