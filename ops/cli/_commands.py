"""Which commands there are, a line each, in the groups in which `antiphon --help` shows them. A name means one thing, and a verb
the same wherever it stands."""

from typing import NamedTuple

Row = tuple[str, str]
"""Where the function is, and the first line of its help."""


class Family(NamedTuple):
    """Commands under one name. `moved`: names they had, and the one each has now."""

    line: str
    rows: dict[str, Row]
    moved: dict[str, str] = {}  # noqa: RUF012 (never written)


GROUPS: dict[str, dict[str, Row | Family]] = {
    "Try": {
        "demo": ("ops.commands.demo:demo", "Hold a spoken conversation, and explain it."),
        "new": ("ops.commands.new:new", "Write a new agent: it works, and is commented."),
        "dev": ("ops.commands.dev:dev", "Run an agent while you write it."),
        "chat": ("ops.commands.chat:chat", "Write with an agent, without sound."),
        "talk": ("ops.commands.talk:talk", "Talk with an agent, in the terminal."),
        "call": ("ops.commands.call:call", "Call a gateway with a recording."),
    },
    "Run": {
        "up": ("ops.commands.up:up", "Start everything on this machine, until Ctrl-C."),
        "status": ("ops.commands.status:status", "Show what runs on this machine, process by process."),
        "logs": ("ops.commands.logs:logs", "Print what the processes of `antiphon up` said."),
        "down": ("ops.commands.down:down", "Stop what `antiphon up` runs here, and wait for it."),
        "gateway": ("ops.commands.gateway:gateway", "Run one gateway."),
        "api": ("ops.commands.api:api", "Run the HTTP API, and the web app with it."),
        "worker": ("ops.commands.worker:worker", "Run one worker of a stage."),
        "llm-server": ("ops.commands.llm_server:llm_server", "Run the embedded OpenAI-compatible LLM server."),
        "token": ("ops.commands.token:token", "Make a client's token for the gateways."),
        "key": Family(
            "Keys of the HTTP API: add, list, remove.",
            {
                "add": ("ops.commands.key:add", "Make a key for the HTTP API."),
                "list": ("ops.commands.key:list_all", "List the keys."),
                "remove": ("ops.commands.key:remove", "Remove a key."),
            },
        ),
    },
    "Look": {
        "sessions": ("ops.commands.reading:sessions", "List the sessions."),
        "show": ("ops.commands.reading:show", "Tell a session event by event, with each turn's timing."),
        "open": ("ops.commands.open:open_session", "Open a session in the web app."),
        "state": ("ops.commands.reading:state", "Show a session as it was after any event."),
        "export": ("ops.commands.reading:export", "Write a session into one file."),
        "replay": ("ops.commands.replay:replay", "Replay a session with another setting."),
        "batch": ("ops.commands.batch:batch", "Replay many sessions, and tell what got better or worse."),
        "debug": ("ops.commands.debug:debug", "Walk through a session, event by event."),
        "check": ("ops.commands.check:check", "Fold stored sessions, and decide them again."),
        "import": ("ops.commands.import_:import_", "Take in calls from elsewhere as sessions."),
        "recording": ("ops.commands.recording:recording", "Write a call's sound as one stereo file."),
        "diff": ("ops.commands.diff:diff", "Tell where two sessions part, turn by turn."),
        "agents": ("ops.commands.agents:agents", "List the agents, and what is wrong with their files."),
        "stats": ("ops.commands.stats:stats", "Tell how fast answers came over many calls, part by part."),
        "top": ("ops.commands.top:top", "Watch queues, workers, gateways and open sessions."),
        "doctor": ("ops.commands.doctor:doctor", "Check everything a conversation needs."),
        "archive": Family(
            "Ended sessions: status, list, run, verify, erase, upgrade.",
            {
                "status": ("ops.commands.archive:status", "Show how much the archive has, and what waits."),
                "list": ("ops.commands.archive:list_all", "List archived sessions, or those that could not be."),
                "run": ("ops.commands.archive:run", "Archive what has ended, now and here."),
                "verify": ("ops.commands.archive:verify", "Read sessions back: are they what was written?"),
                "remove": ("ops.commands.archive:remove", "Delete sessions for good."),
                "erase": ("ops.commands.archive:erase", "Delete all sessions of a person, and prove it."),
                "erasures": ("ops.commands.archive:erasures", "List what was deleted, when, and who asked."),
                "backup": ("ops.commands.archive:backup", "Copy the archive, while it is used."),
                "follow-ups": (
                    "ops.commands.following:list_all",
                    "List webhooks, summaries and recordings, the latest first.",
                ),
                "again": (
                    "ops.commands.following:again",
                    "Deliver a webhook again; make a summary or a recording anew.",
                ),
                "recordings": (
                    "ops.commands.following:recordings",
                    "List the recordings that are kept with calls, the latest first.",
                ),
                "webhook": ("ops.commands.following:webhook", "Send a webhook as a trial, and say what was answered."),
                "upgrade": ("ops.commands.archive:upgrade", "Make the archive's tables, or bring them up to date."),
            },
        ),
        "memory": Family(
            "What agents remember of callers: list, show, forget.",
            {
                "list": ("ops.commands.memory:list_all", "List the callers that agents remember, the latest first."),
                "show": ("ops.commands.memory:show", "Show what is remembered of a caller."),
                "forget": ("ops.commands.memory:forget", "Forget a caller for good, and prove it."),
            },
        ),
    },
    "Phones": {
        "phone": Family(
            "Calls of our own SIP door: dial, transfer, keys, hangup.",
            {
                "dial": ("ops.commands.phone:dial", "Have a running gateway call somebody."),
                "transfer": ("ops.commands.phone:transfer", "Hand a caller on to somebody else."),
                "keys": ("ops.commands.phone:keys", "Press keys in a phone call, as the agent's phone."),
                "hangup": ("ops.commands.phone:hangup", "Hang up a phone call."),
            },
        ),
        "sip": Family(
            "Phones in LiveKit rooms: trunks, rules, calls.",
            {
                "inbound": ("ops.commands.sip:inbound", "Let calls in."),
                "outbound": ("ops.commands.sip:outbound", "Let calls out."),
                "rule": ("ops.commands.sip:rule", "Send calls to rooms, with the agent."),
                "list": ("ops.commands.sip:list_all", "List trunks and rules."),
                "remove": ("ops.commands.sip:remove", "Remove a trunk or a rule."),
                "dial": ("ops.commands.sip:dial", "Call somebody into a room where the agent is."),
                "calls": ("ops.commands.sip:calls", "List the phones that are in rooms now."),
                "transfer": ("ops.commands.sip:transfer", "Hand a caller on to another number."),
                "hangup": ("ops.commands.sip:hangup", "Hang up one phone."),
            },
            {"call": "dial", "hang-up": "hangup"},
        ),
    },
    "Rooms": {
        "room": Family(
            "LiveKit rooms: join, token.",
            {
                "join": ("ops.commands.room:join", "Send the agent into a LiveKit room, without a dispatch."),
                "token": ("ops.commands.room:token", "Make a person's token for a LiveKit room."),
            },
        )
    },
    "Measure": {
        "simulate": ("ops.commands.simulate:simulate", "Let simulated callers talk to an agent, and check it."),
        "bench": ("ops.commands.bench:bench", "Run one benchmark."),
        "chaos": ("ops.commands.chaos:chaos", "Kill everything all the time, then check every log."),
    },
}
MOVED = {
    "dial": "phone dial",
    "transfer": "phone transfer",
    "keys": "phone keys",
    "hangup": "phone hangup",
    "join": "room join",
}
"""Names commands had, and the ones they have now: the old ones go on working, and tell the new one on stderr."""
