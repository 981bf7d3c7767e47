"""Two calls joined: each side hears the other, by this gateway; no session has them any more."""

from functools import partial

import numpy as np
import soxr

from gateway.rooms.sip.calls import Call, Calls
from gateway.rooms.sip.line import Line
from schemas.audio import Pcm
from schemas.clock import Clock

_MOST = 0.12
"""Seconds of sound that wait for a line at most: clocks of phones differ."""


class Bridge:
    """Begins when it is made. Ends with either call, or when nothing has come from one for as long as its trunk allows."""

    def __init__(self, calls: Calls, one: Call, other: Call, clock: Clock):
        self._calls, self._ends, self._clock = calls, (one, other), clock
        self._over = False
        for call, party in ((one, other), (other, one)):
            call.joined = self
            call.line.deaf = False
            call.line.sounded = lambda _: None
            call.line.heard_at = clock.now()
            call.line.reorder.reset()
            resampled = _Resampled(party.line, call.line)
            call.line.before = partial(self._pass, party, call.line, resampled)
            calls.metronome.lines.add(call.line)

    def key(self, call: Call, digit: str) -> None:
        one, other = self._ends
        (other if call is one else one).line.press(digit)

    def end(self) -> None:
        if self._over:
            return
        self._over = True
        for call in self._ends:
            call.line.before = lambda: None
            self._calls.hang_up(call)

    def _pass(self, party: Call, to: Line, resampled: "_Resampled") -> None:
        """What `party` said since the last frame goes to the other one's line."""
        held = party.terms is not None and party.terms.held
        if not held and self._clock.now() - party.line.heard_at > party.guest.trunk.rtp_timeout:
            self.end()
            return
        for pcm in party.line.raw():
            if not to.mute and to.queued() < _MOST:
                to.push(resampled(pcm), voice=False)


class _Resampled:
    """From one line's rate to another's, without a seam; anew where the one has another codec than before."""

    def __init__(self, source: Line, to: Line):
        self._source, self._to = source, to
        self._rates = (0, 0)
        self._stream: soxr.ResampleStream | None = None

    def __call__(self, pcm: Pcm) -> Pcm:
        rates = (self._source.deal.form.hear_rate, self._to.deal.form.send_rate)
        if rates != self._rates:
            self._rates = rates
            same = rates[0] == rates[1]
            self._stream = None if same else soxr.ResampleStream(*rates, 1, dtype="int16", quality="LQ")
        if self._stream is None:
            return pcm
        made: Pcm = np.asarray(self._stream.resample_chunk(pcm), np.int16)
        return made
