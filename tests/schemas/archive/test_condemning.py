"""What is condemned is read no more, however many there are; the proof names what is, whoever dies in the midst of it."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import pytest

from schemas.archive import Archive, _keeping, archive_session
from schemas.archive._keeping import named
from schemas.log import MemoryBus
from tests.schemas.archive.calls import ended

NAMES = [f"s{number}" for number in range(5)]


class Killed(BaseException):
    """Nothing that a process does after it has been killed is done."""


async def kept(log: MemoryBus, archive: Archive) -> None:
    for name in NAMES:
        await ended(log, name, 1)
        await archive_session(log, archive, name)


def between(monkeypatch: pytest.MonkeyPatch, work: Callable[[int], Awaitable[Any]]) -> None:
    """Two at a time; before each portion `work` is done, which is given how many are condemned."""
    plain = Archive._condemn

    async def portion(self: Archive, so_far: Any, sessions: Sequence[str]) -> Any:
        assert len(sessions) <= 2
        await work(len(so_far.removed))
        return await plain(self, so_far, sessions)

    monkeypatch.setattr(_keeping, "_PORTION", 2)
    monkeypatch.setattr(Archive, "_condemn", portion)


async def test_whoever_dies_in_the_midst_of_many_leaves_a_proof_of_what_is_condemned(
    log: MemoryBus, archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rest is as it was; asked again, it goes as well."""
    await kept(log, archive)

    async def killed(condemned: int) -> None:
        if condemned == 4:
            raise Killed

    with monkeypatch.context() as patch:
        between(patch, killed)
        with pytest.raises(Killed):
            await archive.condemn(NAMES, "person", "ann")
    assert [bool(await archive.read(name)) for name in NAMES] == [False] * 4 + [True]
    (proof,) = await archive.erasures()
    assert [one.session for one in proof.removed] == [named(name) for name in NAMES[:4]]
    assert all(one.hash and one.bytes for one in proof.removed)
    assert {one.session for one in await archive.standings("deleting")} == {*NAMES[:4]}
    await archive.condemn(NAMES, "person", "ann")
    for name in NAMES:
        await archive.purge(name)
    assert {one.id for one in await archive.settle_erasures()} == {one.id for one in await archive.erasures()}
    assert [await archive.standing(name) for name in NAMES] == [None] * 5


async def test_who_asks_what_was_let_go_of_misses_none_of_many(
    log: MemoryBus, archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whenever they ask."""
    await kept(log, archive)
    since, _ = await archive.erased(None)
    seen: set[str] = set()

    async def ask(_: int) -> None:
        nonlocal since
        since, gone = await archive.erased(since)
        seen.update(gone)

    between(monkeypatch, ask)
    await archive.condemn(NAMES, "session", "ann")
    await ask(5)
    assert seen == {named(name) for name in NAMES}


async def test_a_proof_is_not_done_while_more_of_it_are_condemned(
    log: MemoryBus, archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Though a sweep has ended the first of them meanwhile."""
    await kept(log, archive)

    async def swept(condemned: int) -> None:
        for name in NAMES[:condemned]:
            await archive.purge(name)
        assert len(await archive.settle_erasures()) == (1 if condemned else 0)

    between(monkeypatch, swept)
    erasure = await archive.condemn(NAMES, "retention", "retention")
    (proof,) = await archive.erasures()
    assert proof == erasure
    assert (proof.done_at, len(proof.removed)) == (0, 5)
    await archive.purge(NAMES[4])
    (done,) = await archive.settle_erasures()
    assert (done.id, done.done_at > 0) == (proof.id, True)
    assert done.removed == proof.removed
