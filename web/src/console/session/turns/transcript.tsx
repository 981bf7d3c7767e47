import type { ReactNode } from "react";
import type { Found, Sentence, Tool, Turn, TypedText, Utterance } from "@/console/session/model/shapes";
import type { Clock } from "@/console/session/player/clock";
import { Speech } from "@/console/session/turns/speech";
import { latency } from "@/format";

type Said =
  | { at: number; utterance: Utterance }
  | { at: number; typed: TypedText }
  | { at: number; sentence: Sentence }
  | { at: number; tool: Tool }
  | { at: number; found: Found };

/** What was said, typed, noted and looked up in a turn, in the order in which it happened; what never sounded comes last. */
export function inOrder(turn: Turn): Said[] {
  const never = Number.POSITIVE_INFINITY;
  const said: Said[] = [
    ...turn.utterances.map((utterance) => ({ at: utterance.start_s, utterance })),
    ...turn.letters.map((typed) => ({ at: typed.at_s, typed })),
    ...turn.found.map((found) => ({ at: found.at_s, found })),
    ...turn.tools.map((tool) => ({ at: tool.at_s, tool })),
    ...turn.sentences.map((sentence) => ({ at: sentence.start_s ?? never, sentence })),
  ];
  return said.sort((one, other) => (one.at === other.at ? 0 : one.at - other.at));
}

export function Transcript({ turn, clock, agent }: { turn: Turn; clock: Clock; agent: string }) {
  const said = inOrder(turn);
  if (said.length === 0) return null;
  return <div>{said.map((one) => line(one, clock, agent))}</div>;
}

function line(said: Said, clock: Clock, agent: string) {
  if ("utterance" in said) {
    const { utterance, name, participant, text, lost, start_s, end_s, words } = said.utterance;
    const shown = text === null ? (lost ? "(not transcribed)" : "…") : text || "(no words)";
    return (
      <Speech
        key={utterance}
        {...{ clock, start_s, end_s, words, text: shown }}
        who={name || participant}
        whose="caller"
      />
    );
  }
  if ("typed" in said) {
    const { at_s, name, participant, text, note } = said.typed;
    if (note) return <Noted key={`note ${at_s} ${text}`} text={text} />;
    return (
      <Speech
        key={`typed ${at_s}`}
        clock={clock}
        who={`${name || participant} types`}
        whose="caller"
        start_s={at_s}
        end_s={at_s + 1}
        text={text}
        words={[]}
      />
    );
  }
  if ("found" in said) return <Knowledge key={`found ${said.at}`} found={said.found} />;
  if ("tool" in said) return <Call key={`tool ${said.at} ${said.tool.name}`} tool={said.tool} />;
  const { index, text, start_s, end_s, words, cut } = said.sentence;
  return (
    <Speech key={`sentence ${index}`} {...{ clock, start_s, end_s, text, words, cut }} who={agent} whose="agent" />
  );
}

/** What is no speech of anybody: beside it, in small. */
function Aside({ children }: { children: ReactNode }) {
  return (
    <div className="grid grid-cols-[3.5rem_minmax(0,1fr)] gap-x-2 py-1 text-xs text-muted">
      <span />
      <div className="min-w-0 break-words">{children}</div>
    </div>
  );
}

/** What the platform told the agent, and nobody wrote. */
function Noted({ text }: { text: string }) {
  return (
    <Aside>
      Note to the agent: <span className="italic">{text}</span>
    </Aside>
  );
}

/** What the LLM was given of the agent's files: which, how well each fits, and the words themselves. */
function Knowledge({ found }: { found: Found }) {
  if (found.files.length === 0) return <Aside>Nothing in the agent’s files fits “{found.query}”</Aside>;
  const files = found.files.map(({ file, score }) => (score === null ? file : `${file} (${score.toFixed(1)})`));
  return (
    <Aside>
      <details>
        <summary className="cursor-pointer">
          Found for “{found.query}”: {files.join(", ")}, {latency(found.took_ms)}
        </summary>
        <p className="pt-1 whitespace-pre-wrap">{found.text}</p>
      </details>
    </Aside>
  );
}

function Call({ tool }: { tool: Tool }) {
  const given = Object.entries(tool.arguments).map(([name, value]) => `${name}: ${JSON.stringify(value)}`);
  const came = tool.error || tool.result;
  return (
    <Aside>
      <p className="font-mono">
        {tool.name}({given.join(", ")}){tool.took_ms === null ? " …" : ` → ${came} (${latency(tool.took_ms)})`}
      </p>
    </Aside>
  );
}
