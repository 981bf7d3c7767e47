"""A gateway's figures for Prometheus, in a registry of its own."""

from prometheus_client import Counter, Gauge, Histogram, generate_latest

from schemas.process.figures import Backlog, Few, new_registry

_SECONDS = (0.05, 0.1, 0.2, 0.3, 0.45, 0.6, 0.8, 1.0, 1.2, 1.6, 2.5, 5.0, 10.0, 30.0)
_TICK = (0.0005, 0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.128, 0.5)
_CALL = (5.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1200.0, 1800.0, 3600.0, 7200.0)


class GatewayMetrics:
    """`agent`, `reason`, `code`: what such a label says."""

    def __init__(self) -> None:
        self.registry = own = new_registry("gateway")
        self.agent, self.reason, self.code = Few(100), Few(40), Few(50)
        self.backlog = Backlog(own)
        self.sessions = Gauge("antiphon_gateway_sessions", "Sessions held", ["agent", "transport"], registry=own)
        self.participants = Gauge("antiphon_gateway_participants", "Participants heard", registry=own)
        self.lateness = Histogram(
            "antiphon_gateway_tick_late_seconds", "A tick begun after it was due", buckets=_TICK, registry=own
        )
        self.tick = Histogram("antiphon_gateway_tick_seconds", "One tick of all sessions", buckets=_TICK, registry=own)
        self.vad = Histogram("antiphon_gateway_vad_seconds", "One batch of voice activity", buckets=_TICK, registry=own)
        self.publishes = Counter("antiphon_gateway_publishes", "Publications by outcome", ["outcome"], registry=own)
        self.publish_seconds = Histogram(
            "antiphon_gateway_publish_seconds", "Publication until its answer", buckets=_TICK, registry=own
        )
        self.voice_to_voice = Histogram(
            "antiphon_gateway_voice_to_voice_seconds",
            "End of speech to the reply's first sound, told when its turn is over",
            ["agent"],
            buckets=_SECONDS,
            registry=own,
        )
        self.parts = Histogram(
            "antiphon_gateway_turn_part_seconds",
            "Of an answered turn: end_of_turn (speech to commit), what stt, llm and tts took (to transcript, first token, first "
            "clip), first_sound (speech until the agent was heard)",
            ["agent", "part"],
            buckets=_SECONDS,
            registry=own,
        )
        self.turns = Counter(
            "antiphon_gateway_turns", "Turns by how they ended, and why", ["agent", "how", "reason"], registry=own
        )
        self.stage_errors = Counter(
            "antiphon_gateway_stage_errors",
            "Errors of stages in sessions; recoverable: it was tried again",
            ["agent", "stage", "code", "recoverable"],
            registry=own,
        )
        self.spoken = Counter(
            "antiphon_gateway_spoken_seconds", "Seconds of the agent's sound that were played", ["agent"], registry=own
        )
        self.captured = Counter(
            "antiphon_gateway_captured_seconds",
            "Seconds of people's speech that were sent to be transcribed; what was sent again counts again",
            ["agent"],
            registry=own,
        )
        self.duration = Histogram(
            "antiphon_gateway_session_seconds",
            "Length of the sessions that ended here",
            ["agent"],
            buckets=_CALL,
            registry=own,
        )
        self.claims = Counter("antiphon_gateway_claims", "Sessions taken over, by reason", ["reason"], registry=own)
        self.opened = Counter(
            "antiphon_gateway_sessions_opened", "Sessions opened, by transport", ["transport"], registry=own
        )
        self.ended = Counter("antiphon_gateway_sessions_ended", "Sessions ended, by reason", ["reason"], registry=own)
        self.refused = Counter("antiphon_gateway_refused", "Clients refused, by reason", ["reason"], registry=own)
        self.broken = Counter("antiphon_gateway_sessions_broken", "Sessions ended by an error of ours", registry=own)
        self.silenced = Counter(
            "antiphon_gateway_silenced", "Times a session fell silent for want of its lease", registry=own
        )
        self.unheeded = Counter(
            "antiphon_gateway_unheeded", "Messages, keys and changes beyond what one participant may send", registry=own
        )
        self.unwritable = Counter(
            "antiphon_gateway_unwritable", "Events and jobs the log can't hold, left out", registry=own
        )
        self.log_errors = Counter("antiphon_gateway_log_errors", "Calls to the log that failed", ["call"], registry=own)

    def text(self) -> bytes:
        """The exposition format."""
        return generate_latest(self.registry)
