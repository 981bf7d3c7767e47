"""What keeps a worker from taking jobs, for its health page and its log."""

import logging

log = logging.getLogger("antiphon.worker")

__all__ = ["Obstacles"]


class Obstacles:
    """Sentences, each by what it is about (warm-up, log, stop). `expected`: what takes its time at the start."""

    def __init__(self, stage: str, expected: dict[str, str]) -> None:
        self._stage = stage
        self._sentences = expected
        self._troubles: set[str] = set()

    def __contains__(self, about: str) -> bool:
        return about in self._sentences

    def told(self) -> list[str]:
        return list(self._sentences.values())

    def only_expected(self) -> bool:
        """Something keeps it, and nothing has failed."""
        return bool(self._sentences) and not self._troubles

    def expect(self, about: str, why: str) -> None:
        self._sentences[about] = why

    def trouble(self, about: str, why: str) -> None:
        """It failed: said once in the log, not at every try."""
        if self._sentences.get(about) != why:
            log.warning("%s", why, extra={"stage": self._stage})
        self._sentences[about] = why
        self._troubles.add(about)

    def over(self, about: str) -> None:
        self._sentences.pop(about, None)
        self._troubles.discard(about)
