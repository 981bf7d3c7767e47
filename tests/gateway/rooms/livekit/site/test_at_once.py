"""Many rooms in one moment, with the people of the benchmarks: they cost little enough to be many."""

import numpy as np
import pytest

from ops.bench._people import People
from ops.stack.embedded.livekit import LiveKitServerError, build
from schemas.audio import HEARING_RATE
from tests.gateway.rooms.livekit.site.conftest import Site, until
from tests.servers import unable

ROOMS = 20


@pytest.fixture
async def _people_are_built() -> None:
    try:
        await build("people")
    except LiveKitServerError as error:
        unable(str(error))


@pytest.mark.usefixtures("_people_are_built")
async def test_rooms_made_at_once_are_all_heard(site: Site) -> None:
    """Of twenty rooms made in the same moment each gets its agent, and each agent the sound of its person."""
    gateway = await site.gateway(livekit_sessions=ROOMS)
    tone = (3000 * np.sin(np.arange(HEARING_RATE) / 6)).astype(np.int16)
    async with People(site.livekit, [f"at-once-{number}" for number in range(ROOMS)], tone) as people:
        await people.joined()

        def heard() -> bool:
            rooms = [session.room for session in gateway.engine.sessions.values()]
            return len(rooms) == ROOMS and all(room.heard_tracks for room in rooms)  # type: ignore[attr-defined]

        await until(heard, "the sound of everybody", 30.0)
