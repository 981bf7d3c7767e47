import { afterEach, describe, expect, test } from "vitest";
import type { CallEvent } from "@/call/model/events";
import { countedIn, MediaDelay } from "@/call/transport/livekit/delay";
import { Pulse } from "@/call/transport/livekit/pulse";
import { LiveKitWords, turnOf } from "@/call/transport/livekit/words";
import { afterClose, type Closed } from "@/call/transport/websocket/reconnect";
import { type Chosen, chosen, keep, load, placed } from "@/call/wish";

const closed: Closed = { code: 1006, error: null, ended: "", resumable: true, lostFor: 0, tries: 0 };

describe("after a connection was closed", () => {
  test("one comes back at once, then ever more slowly, and gives up when the gateway has", () => {
    expect(afterClose(closed)).toEqual({ do: "return", inMs: 0 });
    expect(afterClose({ ...closed, tries: 1 })).toEqual({ do: "return", inMs: 250 });
    expect(afterClose({ ...closed, tries: 9 })).toEqual({ do: "return", inMs: 4000 });
    expect(afterClose({ ...closed, lostFor: 31_000 })).toMatchObject({ do: "over", failed: true });
  });

  test("a session that goes on at another gateway is followed there", () => {
    const error = { code: "draining", message: "This gateway is shutting down." };
    expect(afterClose({ ...closed, code: 1001 })).toMatchObject({ do: "return" });
    expect(afterClose({ ...closed, code: 1013, error })).toMatchObject({ do: "return" });
    expect(afterClose({ ...closed, code: 1013, error, resumable: false })).toMatchObject({ why: error.message });
  });

  test("what the gateway says of its refusal is told in its own words", () => {
    const error = { code: "too_many", message: "All places are taken." };
    expect(afterClose({ ...closed, code: 1013, error })).toEqual({ do: "over", why: error.message, failed: true });
  });

  test("the end of a session is no failure, and an unknown reason is told as it is", () => {
    expect(afterClose({ ...closed, code: 1000, ended: "end_requested" })).toMatchObject({ do: "over", failed: false });
    expect(afterClose({ ...closed, ended: "full_moon" })).toMatchObject({ why: "The call ended (full moon)." });
    expect(afterClose({ ...closed, ended: "error" })).toMatchObject({ failed: true });
  });

  test("a gateway that was never reached is named, with the setting that may keep it from answering", () => {
    expect(afterClose({ ...closed, resumable: false })).toMatchObject({
      why: expect.stringContaining("GATEWAY_ALLOWED_ORIGINS"),
    });
  });
});

describe("words in a LiveKit room", () => {
  const room = () => {
    const events: CallEvent[] = [];
    const onTheirWay: { at: number; then: () => void }[] = [];
    const beginnings: (number | null)[] = [];
    const words = new LiveKitWords(
      (event) => events.push(event),
      () => 10,
      (at, then) => onTheirWay.push({ at, then }),
      (at) => beginnings.push(at),
    );
    const arrive = () => {
      for (const { then } of onTheirWay.splice(0)) then();
    };
    const packet = (message: unknown) => words.packet(new TextEncoder().encode(JSON.stringify(message)));
    return { events, words, packet, onTheirWay, arrive, beginnings };
  };

  test("where the speech of a reply begins is told, once, and that it was cut off", () => {
    const { packet, beginnings } = room();
    const clip = (number: number, words: unknown[]) =>
      packet({ type: "words", clip: number, segment_id: "ab-agent-2", text: "", ahead: 0.5, words });
    clip(3, []);
    clip(4, [["Good", 0.1, 0.3]]);
    clip(5, [["day", 0.1, 0.3]]);
    packet({ type: "cut", segment_id: "ab-agent-2" });
    expect(beginnings).toEqual([expect.closeTo(10.6), null]);
  });

  test("a clip's words are told with when they will sound", () => {
    const { events, packet } = room();
    packet({
      type: "words",
      clip: 3,
      segment_id: "ab-agent-2",
      text: "Good day.",
      ahead: 0.5,
      words: [["Good", 0.1, 0.3]],
    });
    expect(events[0]).toMatchObject({ type: "sentence", turn: 2, index: 3, text: "Good day." });
    expect(events[1]).toMatchObject({
      type: "timings",
      turn: 2,
      words: [["Good", expect.closeTo(10.6), expect.closeTo(10.8)]],
    });
  });

  test("a cut ends the reply with what was heard, whether its stream ends before or after the news", () => {
    for (const late of [true, false]) {
      const { events, words, packet, arrive } = room();
      words.agent("ab-agent-1", "Good", false);
      if (!late) packet({ type: "cut", segment_id: "ab-agent-1" });
      words.agent("ab-agent-1", "Good", true);
      if (late) packet({ type: "cut", segment_id: "ab-agent-1" });
      arrive();
      expect(events.findLast((event) => event.type === "turn")).toEqual({
        type: "turn",
        turn: 1,
        how: "interrupted",
        heard: "Good",
      });
    }
  });

  test("a reply that failed is told as that, once its last words were heard, and not as one that was interrupted", () => {
    for (const how of ["failed", "expired", "dropped"]) {
      const { events, words, packet, arrive } = room();
      words.agent("ab-agent-1", "Good", false);
      packet({ type: "cut", segment_id: "ab-agent-1", how });
      words.agent("ab-agent-1", "Good", true);
      expect(events.filter(({ type }) => type === "turn")).toEqual([]);
      arrive();
      expect(events.at(-1)).toEqual({ type: "turn", turn: 1, how, heard: "Good" });
    }
  });

  test("a turn without a reply tells how it ended, and hushes nothing of another's", () => {
    const { events, packet, arrive, beginnings } = room();
    packet({ type: "turn", segment_id: "ab-agent-2", how: "expired" });
    arrive();
    expect(events).toEqual([{ type: "turn", turn: 2, how: "expired", heard: "" }]);
    expect(beginnings).toEqual([]);
  });

  test("trouble is told as a WebSocket tells it, cut to what can be shown; a fatal one comes with the call's end", () => {
    const { events, packet } = room();
    const error = { type: "error", code: "llm_timeout", message: "The answer could not be found.", fatal: false };
    packet(error);
    packet({ ...error, code: "x".repeat(9000), message: "y".repeat(9000) });
    packet({ ...error, fatal: true });
    const { fatal: _, ...told } = error;
    expect(events).toEqual([
      { ...told, type: "trouble" },
      { type: "trouble", code: "x".repeat(80), message: "y".repeat(1000) },
    ]);
  });

  test("a reply that was sent to its end is over once that was heard", () => {
    const { events, words, onTheirWay, arrive } = room();
    words.agent("ab-agent-1", "Good day.", false);
    words.agent("ab-agent-1", "Good day.", true);
    expect(events.filter(({ type }) => type === "turn")).toEqual([]);
    expect(onTheirWay.map(({ at }) => at)).toEqual([10]);
    arrive();
    expect(events.at(-1)).toEqual({ type: "turn", turn: 1, how: "played", heard: "Good day." });
  });

  test("a hush stops the words where they are, and how long an answer took is told", () => {
    const { events, packet } = room();
    packet({ type: "hush", segment_id: "ab-agent-2" });
    packet({ type: "figures", segment_id: "ab-agent-2", stt: 0.1, first_sound: 0.8 });
    packet({ type: "figures", segment_id: "ab-agent-2", stt: 0.1 });
    expect(events).toEqual([
      { type: "hushed", at: 10 },
      { type: "took", turn: 2, seconds: 0.8 },
    ]);
  });

  test("what is no message of ours is passed over", () => {
    const { events, words, packet } = room();
    for (const junk of [null, 7, {}, { type: "words", segment_id: "x" }, { type: "cut" }, { type: "error", code: 7 }])
      packet(junk);
    words.packet(new Uint8Array([0xff, 0x00]));
    packet({ type: "words", segment_id: "ab-agent-1", words: [[1], "x", null], ahead: "soon" });
    expect(events.filter((event) => event.type === "timings")).toMatchObject([{ words: [] }]);
    expect(turnOf("ab-u1")).toBeNull();
  });
});

describe("an agent in a LiveKit room", () => {
  const felt = (...looks: [packets: number, muted?: boolean][]) => {
    const pulse = new Pulse();
    for (const [packets, muted = false] of looks) pulse.feel(packets, muted);
    return pulse.gone;
  };

  test("is gone when nothing has come of its track for a while, and there again with the next packet", () => {
    expect(felt([10], [20], [20], [20], [20])).toBe(false);
    expect(felt([10], [20], [20], [20], [20], [20])).toBe(true);
    expect(felt([10], [20], [20], [20], [20], [20], [21])).toBe(false);
  });

  test("is awaited before its first sound, and may be muted", () => {
    expect(felt([0], [0], [0], [0], [0], [0])).toBe(false);
    expect(felt([20], [20, true], [20, true], [20, true], [20, true], [20, true])).toBe(false);
  });
});

describe("what a call is begun with", () => {
  const first: Chosen = {
    kind: "websocket",
    name: "",
    room: "",
    agent: "",
    microphone: "",
    speaker: "",
    camera: "",
    resolution: "720p",
  };
  const before = { kind: "livekit", name: "Ann", room: "lobby", agent: "old", microphone: "m", resolution: "360p" };
  const kept = JSON.stringify(before);

  afterEach(() => localStorage.clear());

  test("the address goes before what was chosen last", () => {
    expect(chosen(kept, "?mode=websocket&room=hall")).toEqual({
      ...first,
      name: "Ann",
      room: "hall",
      microphone: "m",
      resolution: "360p",
    });
  });

  test("an agent that is asked for comes: into a new room, unless one is named", () => {
    const rooms = [1, 2].map(() => placed(chosen(kept, "?agent=desk")).room);
    for (const room of rooms) expect(room).toMatch(/^room-[0-9a-f]{16}$/);
    expect(new Set(rooms).size).toBe(2);
    expect(placed(chosen(kept, "?agent=desk&room=hall")).room).toBe("hall");
    expect(placed(chosen(kept, "")).room).toBe("lobby");
    expect(placed(chosen(null, "?mode=livekit")).room).toBe("");
    expect(placed(chosen(null, "?agent=desk")).room).toBe("");
  });

  test("for the next time only what was chosen by hand is kept, not what an address asked for", () => {
    localStorage.setItem("antiphon.call", kept);
    keep({ name: "Bob" });
    expect(load()).toMatchObject({ kind: "livekit", name: "Bob", room: "lobby", agent: "", microphone: "m" });
  });

  test("what is kept is not trusted: nonsense begins anew, and long texts are cut", () => {
    for (const kept of [null, "{", "7", '{"kind": "carrier pigeon", "name": 7, "resolution": "8k"}']) {
      expect(chosen(kept, "")).toEqual(first);
    }
    expect(chosen(JSON.stringify({ name: "x".repeat(9000) }), "").name).toHaveLength(120);
  });
});

describe("a room's sound is heard later than the news of it", () => {
  const report = (buffered: number, emitted: number) =>
    new Map<string, object>([
      ["a", { type: "candidate-pair", jitterBufferDelay: 7 }],
      ["b", { type: "inbound-rtp", jitterBufferDelay: buffered, jitterBufferEmittedCount: emitted }],
      ["c", { type: "media-playout", totalPlayoutDelay: emitted * 0.02, totalSamplesCount: emitted }],
    ]);
  const learn = (delay: MediaDelay, buffered: number, emitted: number) => {
    const counted = countedIn(report(buffered, emitted));
    if (counted !== null) delay.learn(counted);
    return delay.seconds;
  };

  test("by what waited in the buffer and on its way out since it was last looked at", () => {
    const delay = new MediaDelay();
    expect(learn(delay, 0, 0)).toBeCloseTo(0.06); // nothing is known
    expect(learn(delay, 1000, 10_000)).toBeCloseTo(0.1 + 0.02 + 0.0265);
    expect(learn(delay, 1000 + 4000, 20_000)).toBeCloseTo(0.4 + 0.02 + 0.0265); // jitter came
    expect(learn(delay, 5000, 20_000)).toBeCloseTo(0.4 + 0.02 + 0.0265); // nothing sounded
    expect(learn(delay, 10, 1000)).toBeCloseTo(0.4 + 0.02 + 0.0265); // another track counts from 0
    expect(learn(delay, 10 + 60, 2000)).toBeCloseTo(0.06 + 0.02 + 0.0265);
  });
});
