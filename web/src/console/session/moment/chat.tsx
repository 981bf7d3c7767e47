import clsx from "clsx";
import type { ChatMessage } from "@/console/session/model/shapes";

const ROLES = { system: "Instructions", user: "Caller", assistant: "Agent, as heard", tool: "Tool" } as const;

/** The chat as the LLM would be given it at a moment. */
export function Chat({ messages }: { messages: readonly ChatMessage[] }) {
  return (
    <section className="flex flex-col gap-2">
      <h2 className="text-xs font-semibold text-muted">The chat, as the LLM is given it</h2>
      {messages.length === 0 ? <p className="text-sm text-muted">Nothing yet.</p> : null}
      <ol className="flex flex-col gap-3">
        {messages.map((message, index) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: a message is its place
          <li key={index} className="text-sm">
            <p
              className={clsx(
                "text-xs font-semibold",
                message.role === "assistant" ? "text-agent" : message.role === "user" ? "text-caller" : "text-muted",
              )}
            >
              {ROLES[message.role]}
            </p>
            {message.content ? (
              <p className={clsx("whitespace-pre-wrap break-words", message.role === "system" && "text-muted")}>
                {message.content}
              </p>
            ) : null}
            {message.tool_calls?.map((call) => (
              <p key={call.id} className="break-words font-mono text-xs text-muted">
                calls {call.function.name}({call.function.arguments})
              </p>
            ))}
          </li>
        ))}
      </ol>
    </section>
  );
}
