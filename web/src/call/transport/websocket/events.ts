import type { CallEvent } from "@/call/model/events";
import { timedShapes } from "@/call/model/shapes";
import type { ToClient } from "@/call/transport/websocket/link";

/** Of whoever calls: a WebSocket call has one person. */
export const ME = "caller";

/** A gateway's message as what happens in a call; null for what is told in another way. `received`: samples so far. */
export function eventOf(message: ToClient, received: number, rate: number): CallEvent | null {
  switch (message.type) {
    case "transcript": {
      const { turn, final, utterance, participant, text } = message;
      if (final && turn === null) return { type: "typed", id: utterance, participant, text }; // by an operator
      return { ...message, type: "heard", participant: ME };
    }
    case "sentence":
      return { ...message, at: received / rate };
    case "words": {
      const begin = message.offset / rate;
      const words = message.words.map(([text, start, end]) => [text, begin + start, begin + end] as const);
      const { turn, index, part } = message;
      return { type: "timings", turn, index, part, words, shapes: timedShapes(message.visemes, begin) };
    }
    case "turn": {
      const how = message.reason === "taken_back" ? message.reason : message.how;
      return { type: "turn", turn: message.turn, how, heard: message.heard };
    }
    case "metrics":
      return typeof message.first_sound !== "number"
        ? null
        : { type: "took", turn: message.turn, seconds: message.first_sound };
    case "error":
      return message.fatal ? null : { type: "trouble", code: message.code, message: message.message };
    default:
      return null; // ends come with the connection's
  }
}
