const WORDS: Record<string, string> = {
  "POST /v1/sessions/{session}/say": "had the agent say something in",
  "POST /v1/sessions/{session}/message": "sent a message to",
  "POST /v1/sessions/{session}/instructions": "changed the instructions of",
  "POST /v1/sessions/{session}/end": "ended",
  "POST /v1/sessions/{session}/listen": "listened in on",
  "POST /v1/keys": "added a key",
  "key add": "added a key",
  "key remove": "removed a key",
  "DELETE /v1/keys/{key}": "removed a key",
  "PUT /v1/agents/{name}": "saved an agent",
  "POST /v1/agents/drafts": "tried an agent",
  "POST /v1/agents/reload": "had the agents read again",
  "POST /v1/dead-letters/{letter}/retry": "retried a dead letter",
  "DELETE /v1/dead-letters/{letter}": "discarded a dead letter",
};

/** What was done, in words; a route that has none here is named itself. */
export function doneInWords(action: string): string {
  return WORDS[action] ?? action;
}
