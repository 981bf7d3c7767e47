"""A call in virtual time whose facts tell what they were decided from, as those of a gateway do."""

from typing import Any

from gateway.inputs import Attached
from gateway.turn_taking import Decision, Input, Opened, Publish, Record, Resumed, resume, rewound, step
from schemas.clock import Now
from tests.gateway.turn_taking.call import Call


class Kept(Call):
    def __init__(self, *arguments: Any, **more: Any):
        self.record = Record(Opened(1), Now(100.0))
        super().__init__(*arguments, **more)

    def _take(self, item: Input) -> None:
        before, now = self.state, Now(self.now)
        state, decisions = step(before, item, now)
        self.record.fed(item, now, before, state, decisions)
        self._enter(state, decisions)

    def _do(self, decision: Decision) -> None:
        super()._do(self.record.sent(decision) if isinstance(decision, Publish) else decision)

    def take_over(self, silence: float = 0.3) -> None:
        positions = self.state.positions()
        if self.sounding is not None:
            positions["position"] = self.position()
        self.epoch += 1
        self.sounding, self.lost_tail = None, False
        now = Now(self.now)
        self.record = Record(Resumed(tuple(self.log), "g2", self.epoch, positions, "expired"), now)
        self._enter(*resume("s1", self.log, positions, now, gateway="g2", epoch=self.epoch))
        self.after(silence, lambda: self.feed(Attached()))

    def _refold(self) -> None:
        if self.lost_tail:
            self.lost_tail, self.sounding = False, None
            now = Now(self.now)
            self.record.rewound(self.log, now)
            self._enter(*rewound(self.state, self.log, now))


__all__ = ["Kept"]
