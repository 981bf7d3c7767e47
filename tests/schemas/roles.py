"""Who plays which role in the log: mypy accepts what is here, and must refuse each line it is told to ignore. Where it no longer
does, the `ignore` is unused, and `make check` says so."""

from gateway.sessions.house import House
from schemas.archive import Archive as Store
from schemas.archive import Both
from schemas.bus import Bus, Listing, Milestones, Reading, Watching
from schemas.log import MemoryBus, RedisBus
from schemas.session.listing import Kept
from tests.archive import Archive
from workers._stage import Work


def told(log: RedisBus, memory: MemoryBus, archive: Archive) -> tuple[list[Reading], list[Listing], list[Bus]]:
    """Sessions are read alike wherever they are kept, and an archive is no log."""
    buses: list[Bus] = [log, memory]
    buses.append(archive)  # type: ignore[arg-type]
    return [log, memory, archive], [log, memory, archive], buses


def kept(store: Store, both: Both) -> tuple[list[Kept], list[Milestones], list[Watching]]:
    """So are those that a real archive has, and a log and an archive together."""
    return [store, both], [store, both], [store, both]


def a_stage_reads_and_stores(work: Work) -> None:
    _ = (work.bus.read, work.bus.get_blob, work.bus.put_blob, work.bus.queued)
    _ = work.bus.commit  # type: ignore[attr-defined]
    _ = work.bus.close  # type: ignore[attr-defined]
    _ = work.bus.claim  # type: ignore[attr-defined]


def a_gateway_takes_no_jobs(house: House) -> None:
    _ = (house.bus.publish, house.bus.claim, house.bus.read)
    _ = house.bus.take  # type: ignore[attr-defined]
    _ = house.bus.commit  # type: ignore[attr-defined]
