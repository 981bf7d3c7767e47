"""Figures of the phones, in the gateway's registry."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

_LATE = (0.0005, 0.001, 0.002, 0.004, 0.008, 0.012, 0.016, 0.02, 0.04, 0.1, 0.5)


class SipMetrics:
    def __init__(self, own: CollectorRegistry) -> None:
        self.calls = Gauge("antiphon_sip_calls", "Calls under way", registry=own)
        self.half_open = Gauge(
            "antiphon_sip_calls_unacknowledged", "Calls answered that no ACK has come for yet", registry=own
        )
        self.unacknowledged = Counter(
            "antiphon_sip_never_acknowledged", "Calls given up because no ACK came", registry=own
        )
        self.refused = Counter("antiphon_sip_refused", "Calls refused, by SIP status", ["status"], registry=own)
        self.lateness = Histogram(
            "antiphon_sip_frame_late_seconds",
            "20 ms of all calls begun after they were due",
            buckets=_LATE,
            registry=own,
        )
        self.lost = Counter("antiphon_sip_packets_lost", "Packets of callers that never came", registry=own)
        self.strangers = Counter(
            "antiphon_sip_packets_foreign", "Packets of sound from nobody we talk to", registry=own
        )
