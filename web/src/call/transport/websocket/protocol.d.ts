// Made by scripts/protocol.mjs of schemas/client.schema.json (docs/websocket.md).
export type paths = Record<string, never>;
export type webhooks = Record<string, never>;
export interface components {
    schemas: {
        /**
         * ClearMessage
         * @description The agent fell silent: drop the sound that has not been played.
         */
        ClearMessage: {
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            type: "clear";
        };
        /**
         * DtmfMessage
         * @description Keys pressed, in order.
         */
        DtmfMessage: {
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            type: "dtmf";
            digits: string;
        };
        /**
         * EndedMessage
         * @description The session is over, and the connection is closed. `reason` as in `session.ended` (schemas/events.py).
         */
        EndedMessage: {
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            type: "ended";
            reason: string;
        };
        /**
         * ErrorMessage
         * @description What was wrong. `code`: for programs; `message`: a sentence for a person; `fatal`: the connection is closed after it.
         */
        ErrorMessage: {
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            type: "error";
            code: ("start" | "token" | "origin" | "agent" | "ticket" | "over" | "draining" | "log" | "workers" | "too_many" | "bad_message" | "odd_frame" | "bad_frame" | "sample_rate" | "internal") | string;
            message: string;
            fatal: boolean;
        };
        /**
         * HangUpMessage
         * @description Ends the session.
         */
        HangUpMessage: {
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            type: "hang_up";
        };
        /**
         * MetricsMessage
         * @description How long an answered turn took, just before its `turn`: seconds from the end of speech to the commit (`end_of_turn`), and
         *     until the agent was heard (`first_sound`); what `stt`, `llm` and `tts` took of that to the transcript, the first token, the
         *     first clip, without their queues; each where it is known, else left out.
         */
        MetricsMessage: {
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            type: "metrics";
            turn: number;
            end_of_turn?: number;
            stt?: number;
            llm?: number;
            tts?: number;
            first_sound?: number;
        };
        /**
         * PingMessage
         * @description Asks whether the line lives: it is answered at once. A page can't send a WebSocket's own pings.
         */
        PingMessage: {
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            type: "ping";
        };
        /**
         * PlayedMessage
         * @description How many samples have sounded since `ready`: the gateway reckons for itself, but a client knows better.
         */
        PlayedMessage: {
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            type: "played";
            samples: number;
        };
        /**
         * PongMessage
         * @description The answer to a `ping`.
         */
        PongMessage: {
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            type: "pong";
        };
        /**
         * ReadyMessage
         * @description The answer to `start`: go. `session` and `ticket`, a secret, are what to come back with; `warnings`: what is not as the
         *     agent wants it, a sentence each, left out where there are none; `rate`: Hz of the sound that comes; `resumed`: the session was
         *     there before; `talk`: `push_to_talk` where turns begin and end by `talk` alone, else left out.
         */
        ReadyMessage: {
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            type: "ready";
            /** @constant */
            version: 1;
            session: string;
            ticket: string;
            warnings?: string[];
            rate: number;
            resumed: boolean;
            /** @enum {string} */
            talk?: "voice" | "push_to_talk";
        };
        /**
         * SentenceMessage
         * @description What the agent says, sent before its sound. `index`: its place in the reply; `spoken: false`: its sound could not be made,
         *     show the text.
         */
        SentenceMessage: {
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            type: "sentence";
            turn: number;
            index: number;
            text: string;
            spoken: boolean;
        };
        /**
         * SpeechMessage
         * @description Somebody began or ceased to speak.
         */
        SpeechMessage: {
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            type: "speech";
            participant: string;
            speaking: boolean;
        };
        /**
         * StartMessage
         * @description The first frame, and only that. `rate`: Hz the client wants to hear; `sound`: false for a conversation in text, in which
         *     no sound is made, and which waits for its client as long as for words; `agent`: "" for the default one; `participant`: who
         *     the client is, `name`: what they are called; `room`: what the room is called, "" for a name of its own; `metadata`: what the
         *     session is to be found by, an object of your own, kept in its log and told to nobody else. `session` and `ticket`, of the
         *     `ready`: to come back; then the others but `rate` are not looked at. A field that is none of these is refused.
         */
        StartMessage: {
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            type: "start";
            /** @constant */
            version: 1;
            /**
             * @default 24000
             * @enum {integer}
             */
            rate: 16000 | 24000 | 48000;
            /** @default true */
            sound: boolean;
            /** @default  */
            agent: string;
            /** @default  */
            participant: string;
            /** @default  */
            name: string;
            /** @default  */
            room: string;
            /** @default {} */
            metadata: {
                [key: string]: unknown;
            };
            /** @default  */
            session: string;
            /** @default  */
            ticket: string;
        };
        /**
         * StateMessage
         * @description What the agent does now: it is told when it changes, and to who comes back.
         */
        StateMessage: {
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            type: "state";
            /** @enum {string} */
            state: "listening" | "thinking" | "speaking";
        };
        /**
         * TalkMessage
         * @description Push-to-talk: while `pressed` the turn is the user's; released, it is the agent's at once, or nobody's: `cancel` (with
         *     `pressed: false`) forgets what was said.
         */
        TalkMessage: {
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            type: "talk";
            pressed: boolean;
            /** @default false */
            cancel: boolean;
        };
        /**
         * ToolMessage
         * @description A tool is called, and, `returned`, has come to its end with a `result` or an `error`. Only of agents that say so
         *     (`tools.tell_clients`): all of it may be private.
         */
        ToolMessage: {
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            type: "tool";
            turn: number;
            call: string;
            name: string;
            arguments: {
                [key: string]: unknown;
            };
            returned: boolean;
            result: string;
            error: string;
        };
        /**
         * TranscriptMessage
         * @description What was heard: a line of the screen, `utterance` its name for good, `text` all of it, whatever stood there before. `turn`:
         *     where it is known. `final: false`: it may still be said otherwise; `final` comes once, before the answer sounds, or when the
         *     turn is over, and once more if it is taken back. An empty `text` takes the line away. `final` without a `turn`: nobody spoke,
         *     it was written to the agent by the API (an operator's text), in the name of `participant`.
         */
        TranscriptMessage: {
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            type: "transcript";
            participant: string;
            turn: number | null;
            utterance: string;
            text: string;
            final: boolean;
        };
        /**
         * TurnMessage
         * @description A turn ended: `how` and `reason` as in `turn.ended`, `why` it was answered as in `turn.committed` (schemas/events.py), ""
         *     where nothing was to be answered. A `filler` bridges the wait for another turn's answer. `heard`: the reply as the user heard
         *     it; `taken_back`: it counts as never said.
         */
        TurnMessage: {
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            type: "turn";
            turn: number;
            /** @enum {string} */
            how: "played" | "interrupted" | "dropped" | "failed" | "expired";
            reason: string;
            /** @enum {string} */
            why: "" | "end_of_turn" | "silence" | "text" | "push_to_talk" | "interruption" | "greeting" | "say" | "fallback" | "repeat" | "filler" | "tool" | "idle" | "goodbye";
            heard: string;
        };
        /**
         * TypedMessage
         * @description Typed text: it interrupts, and is answered.
         */
        TypedMessage: {
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            type: "message";
            text: string;
        };
        /**
         * WordsMessage
         * @description When the words of one part of a sentence are heard, never later than their sound: in seconds from sample `offset` of the
         *     sound sent since `ready`. After a pause a part is told again, at its new place. `visemes`: the shapes of the mouth from
         *     `offset` on, one after the other without a gap, for whoever shows a face; left out where the TTS tells none.
         */
        WordsMessage: {
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            type: "words";
            turn: number;
            index: number;
            part: number;
            offset: number;
            words: [
                string,
                number,
                number
            ][];
            visemes?: [
                string,
                number
            ][];
        };
        /** ToClient */
        ToClient: components["schemas"]["ReadyMessage"] | components["schemas"]["StateMessage"] | components["schemas"]["SpeechMessage"] | components["schemas"]["TranscriptMessage"] | components["schemas"]["SentenceMessage"] | components["schemas"]["WordsMessage"] | components["schemas"]["ClearMessage"] | components["schemas"]["TurnMessage"] | components["schemas"]["ToolMessage"] | components["schemas"]["MetricsMessage"] | components["schemas"]["ErrorMessage"] | components["schemas"]["EndedMessage"] | components["schemas"]["PongMessage"];
        /** FromClient */
        FromClient: components["schemas"]["StartMessage"] | components["schemas"]["TypedMessage"] | components["schemas"]["TalkMessage"] | components["schemas"]["DtmfMessage"] | components["schemas"]["PlayedMessage"] | components["schemas"]["HangUpMessage"] | components["schemas"]["PingMessage"];
    };
    responses: never;
    parameters: never;
    requestBodies: never;
    headers: never;
    pathItems: never;
}
export type $defs = Record<string, never>;
export type operations = Record<string, never>;
