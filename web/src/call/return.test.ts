import { afterEach, describe, expect, test } from "vitest";
import { EMPTY, reduceTranscript, type Transcript } from "@/call/model/transcript";
import { forgetCall, keepCall, type Left, leftCall, portable } from "@/call/return";
import { WAITS_MS } from "@/call/transport/transport";

const LEFT: Left = {
  wish: { kind: "websocket", name: "Ann", room: "", agent: "" },
  back: { session: "ws-1", ticket: "secret" },
  microphone: "",
  muted: true,
  pushToTalk: false,
  lines: [],
  at: 1_000_000,
};

afterEach(forgetCall);

describe("a call whose page was loaded anew", () => {
  test("is offered for as long as it waits", () => {
    expect(leftCall()).toBeNull();
    keepCall(LEFT);
    expect(leftCall(LEFT.at + WAITS_MS - 1)).toEqual(LEFT);
    expect(leftCall(LEFT.at + WAITS_MS)).toBeNull();
  });

  test("takes with it the words that are certain, in their order, and leaves the rest", () => {
    const heard = { participant: "ann", turn: 1 } as const;
    const sentence = (index: number, text: string, at: number) =>
      ({ type: "sentence", turn: 1, index, text, spoken: true, at }) as const;
    let transcript: Transcript = EMPTY;
    transcript = reduceTranscript(
      transcript,
      { type: "heard", utterance: "u1", text: "Where to?", final: true, ...heard },
      100,
    );
    transcript = reduceTranscript(transcript, sentence(0, "To Paris.", 1), 200);
    transcript = reduceTranscript(transcript, sentence(1, "It is a long way from here.", 3), 300);
    transcript = reduceTranscript(
      transcript,
      { type: "heard", utterance: "u2", text: "And", final: false, ...heard },
      400,
    );
    const lines = JSON.parse(JSON.stringify(portable(transcript, 3))) as ReturnType<typeof portable>;
    expect(lines.map(({ kind, at }) => [kind, at])).toEqual([
      ["person", -2],
      ["agent", -1],
    ]);
    expect(lines[1]).toMatchObject({ sentences: [{ index: 0, text: "To Paris.", spoken: false }] });
  });
});
