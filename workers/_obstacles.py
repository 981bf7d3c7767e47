"""What keeps a worker from taking jobs, for its health page and its log."""

import logging

log = logging.getLogger("antiphon.worker")

__all__ = ["Obstacles"]


class Obstacles:
    """Sentences, each by what it is about (warm-up, log, stop). `expected`: what takes its time at the start."""

    def __init__(self, stage: str, expected: dict[str, str]) -> None:
        self._stage = stage
        self._sentences = expected
        self._said: dict[str, tuple[str, bool]] = {}
        """What has failed: why, and whether that was a warning."""

    def __contains__(self, about: str) -> bool:
        return about in self._sentences

    def told(self) -> list[str]:
        return list(self._sentences.values())

    def only_expected(self) -> bool:
        """Something keeps it, and nothing has failed."""
        return bool(self._sentences) and not self._said

    def expect(self, about: str, why: str) -> None:
        self._sentences[about] = why

    def trouble(self, about: str, why: str, lasts: bool = True) -> None:
        """It failed: said once in the log, not at every try. `lasts`: whether it won't pass by itself, as at a start it may."""
        if self._said.get(about) != (why, lasts):
            log.log(logging.WARNING if lasts else logging.INFO, "%s", why, extra={"stage": self._stage})
        self._sentences[about] = why
        self._said[about] = (why, lasts)

    def over(self, about: str) -> None:
        self._sentences.pop(about, None)
        self._said.pop(about, None)
