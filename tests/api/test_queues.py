"""Queues, workers, dead letters and gateways by HTTP."""

import asyncio

import httpx2
import pytest

from api import shared_look
from api.house import House
from api.problems import Problem
from api.queue_watch import QueueWatch
from api.way_in import WayIn
from schemas.bus import GatewaySeen, Outcome, Publication, StageSeen
from schemas.errors import BusUnavailable
from schemas.events import SessionEnded
from schemas.log import MemoryBus
from tests.api.listening import listening
from tests.schemas.log.talk import FAILED, SENTENCE, Gateway, take_one, tts


class Clock:
    time = 100.0

    def __call__(self) -> float:
        return self.time


class Counting(MemoryBus):
    """How often the queues were looked at."""

    looks = 0

    async def stages(self) -> list[StageSeen]:
        self.looks += 1
        return await super().stages()


def seen(name: str, places: int = 10, **more: object) -> GatewaySeen:
    told = {"sessions": 0, "draining": False, "transports": ("websocket",)} | more
    return GatewaySeen(name, f"wss://{name}/ws", f"ws://{name}:8765/ws", places, **told)  # type: ignore[arg-type]


# ── queues ───────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_each_stage_says_what_waits_and_who_works(client: httpx2.AsyncClient, house: House) -> None:
    """Length, running, oldest age and workers; throughput is not known from one look."""
    await (await Gateway(house.bus).open()).publish(tts("a"), tts("b"))
    await house.bus.take("tts", 0, "w1", 1)
    body = (await client.get("/v1/queues")).json()
    stages = {row["stage"]: row for row in body["stages"]}
    assert list(stages) == ["stt", "llm", "tts"]
    row = stages["tts"]
    assert (row["queued"], row["running"], row["done_per_s"]) == (1, 1, None)
    assert 0 <= row["oldest_s"] < 60
    assert [(worker["name"], worker["jobs"]) for worker in row["workers"]] == [("w1", 1)]
    assert body["at"].endswith("Z")


async def test_a_pool_that_comes_later_has_its_throughput_later(client: httpx2.AsyncClient, house: House) -> None:
    """The tools' pool is a row once it has a worker; what it did before is not known."""
    clock = Clock()
    house.queues = QueueWatch(clock)
    await house.queues.latest(house.bus)
    await house.bus.take("tools", 0, "w1", 1)
    clock.time += 2.0
    rows = (await client.get("/v1/queues")).json()["stages"]
    assert [row["stage"] for row in rows] == ["stt", "llm", "tts", "tools"]
    assert [row["done_per_s"] for row in rows] == [0.0, 0.0, 0.0, None]
    assert [worker["name"] for worker in rows[3]["workers"]] == ["w1"]


async def test_throughput_is_the_mean_of_the_last_looks() -> None:
    """What ended between them, by the second; looks of long ago don't count."""
    bus, clock = MemoryBus(), Clock()
    watch = QueueWatch(clock)
    gateway = await Gateway(bus).open()

    async def work(jobs: int) -> None:
        await gateway.publish(*(tts(f"{clock.time}-{number}") for number in range(jobs)))
        for delivery in (await bus.take("tts", 0, "w1", jobs)).deliveries:
            await bus.commit("tts", "w1", delivery, 0, "final", [SENTENCE])

    await watch.latest(bus)
    await work(8)
    clock.time += 4.0
    assert (await watch.latest(bus)).done_per_s == {"stt": 0.0, "llm": 0.0, "tts": 2.0}
    clock.time += 60.0
    assert (await watch.latest(bus)).done_per_s == {}


async def test_however_many_look_the_log_is_asked_once(client: httpx2.AsyncClient, house: House) -> None:
    """A hundred requests within a second are answered from one look."""
    house.bus = bus = Counting()
    for _ in range(100):
        assert (await client.get("/v1/queues")).status_code == 200
    assert bus.looks <= 3  # more only where this machine took seconds for it


async def test_streams_share_their_looks(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each hears of the queues at once and then again and again; ten cost the log no more than one."""
    monkeypatch.setattr(shared_look, "EVERY", 0.1)
    house.bus = bus = Counting()
    async with (
        listening(house, "/v1/queues/stream") as one,
        listening(house, "/v1/queues/stream") as two,
        listening(house, "/v1/queues/stream") as three,
    ):
        heard = [(await reader.next("queues")).data["at"] for _ in range(5) for reader in (one, two, three)]
    assert len(set(heard)) < len(heard)
    assert bus.looks < len(heard)


async def test_a_stream_tells_of_gateways_and_letters(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who watches sees gateways come and go, and that letters came or went though they are as many; nobody asks again."""
    monkeypatch.setattr(shared_look, "EVERY", 0.02)
    async with listening(house, "/v1/queues/stream") as reader:

        async def until(gateways: list[str], letters: int, unlike: str) -> str:
            while True:
                told = (await reader.next("queues")).data
                letters_now, mark = told["dead_letters"]["count"], told["dead_letters"]["mark"]
                if ([one["name"] for one in told["gateways"]], letters_now) == (gateways, letters) and mark != unlike:
                    return str(mark)

        none = await until([], 0, "")
        await house.bus.advertise(seen("g1"), 60)
        await bury(house, 2)
        two = await until(["g1"], 2, none)
        [_, first] = await house.bus.dead_letters()
        await house.bus.discard(first.id)
        await house.bus.advertise(seen("g1"), 0)
        one = await until([], 1, two)
        await house.bus.discard((await house.bus.dead_letters())[0].id)
        await bury(house, 1, "t")
        await until([], 1, one)


async def test_a_stream_outlives_a_log_that_is_away(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """It says why there is nothing to show, and goes on when there is."""
    monkeypatch.setattr(shared_look, "EVERY", 0.05)

    class Away(MemoryBus):
        away = True

        async def stages(self) -> list[StageSeen]:
            if self.away:
                raise BusUnavailable("gone")
            return await super().stages()

    house.bus = bus = Away()
    async with listening(house, "/v1/queues/stream") as reader:
        assert (await reader.next("away", "queues")).data == {"detail": "gone"}
        bus.away = False
        assert len((await reader.next("queues")).data["stages"]) == 3


async def test_at_the_end_who_watches_is_let_go(house: House) -> None:
    """Streams of queues end with the process, as those of sessions do: nobody waits for them."""
    async with listening(house, "/v1/queues/stream") as reader:
        await reader.next("queues")
        house.dismiss()
        while len(house.streams):
            await asyncio.sleep(0)
    assert reader.ended


async def test_a_log_that_is_away_is_asked_once_a_second() -> None:
    """However many wait, they hear of it together, and nobody asks again at once, long as it took to fail."""
    clock = Clock()

    class Away(MemoryBus):
        looks = 0

        async def stages(self) -> list[StageSeen]:
            self.looks += 1
            await asyncio.sleep(0)
            clock.time += 2.5
            raise BusUnavailable("gone")

    bus, watch = Away(), QueueWatch(clock)
    heard = await asyncio.gather(*(watch.latest(bus) for _ in range(10)), return_exceptions=True)
    heard += [await anext(watch.each(bus))]
    assert ({str(one) for one in heard}, bus.looks) == ({"gone"}, 1)
    clock.time += shared_look.EVERY
    with pytest.raises(BusUnavailable):
        await watch.latest(bus)
    assert bus.looks == 2


# ── dead letters ─────────────────────────────────────────────────────────────────────────────────────────────────────


async def bury(house: House, jobs: int, session: str = "s") -> None:
    gateway = await Gateway(house.bus, session).open()
    for number in range(jobs):
        await gateway.publish(tts(f"t{number}", session))
        held = await take_one(house.bus, "tts")
        await house.bus.commit("tts", "w1", held, 0, "dead", [FAILED])


async def test_dead_letters_come_page_by_page(client: httpx2.AsyncClient, house: House) -> None:
    """The latest first, with why; `next` leads on until there is none."""
    await bury(house, 5)
    jobs: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        page = (await client.get("/v1/dead-letters", params={"limit": 2, "cursor": cursor})).json()
        jobs += [letter["job"] for letter in page["letters"]]
        assert page["letters"][0]["reason"] == "deliveries: gave up"
        cursor = page["next"]
    assert jobs == ["t4", "t3", "t2", "t1", "t0"]
    assert (await client.get("/v1/dead-letters", params={"stage": "llm"})).json() == {"letters": [], "next": None}


async def test_a_letter_is_tried_again_once(client: httpx2.AsyncClient, house: House) -> None:
    """Its job is in its queue, and the letter is gone."""
    await bury(house, 1)
    [letter] = (await client.get("/v1/dead-letters")).json()["letters"]
    answer = await client.post(f"/v1/dead-letters/{letter['id']}/retry")
    assert (answer.status_code, answer.json()["outcome"]) == (200, "OK")
    assert await house.bus.queued("tts") == 1
    assert (await client.post(f"/v1/dead-letters/{letter['id']}/retry")).status_code == 404


async def test_what_nobody_wants_is_said(client: httpx2.AsyncClient, house: House) -> None:
    """STALE in words, and the letter stays; then it is put away, once."""
    await bury(house, 1)
    [letter] = await house.bus.dead_letters()
    gateway = Gateway(house.bus)
    gateway.operation = 5
    await gateway.publish(raises=1)
    answer = (await client.post(f"/v1/dead-letters/{letter.id}/retry")).json()
    assert answer["outcome"] == Outcome.STALE.value
    assert "gone on without it" in answer["detail"]
    assert (await client.delete(f"/v1/dead-letters/{letter.id}")).status_code == 204
    assert (await client.delete(f"/v1/dead-letters/{letter.id}")).status_code == 404


async def test_a_letter_of_a_session_that_is_over_says_so(client: httpx2.AsyncClient, house: House) -> None:
    """Nobody would hear the job's answer: the letter stays, and the answer names the reason."""
    await bury(house, 1)
    [letter] = await house.bus.dead_letters()
    await house.bus.close(letter.session, 1, Publication(9, [SessionEnded(reason="hang_up")]))
    answer = (await client.post(f"/v1/dead-letters/{letter.id}/retry")).json()
    assert (answer["outcome"], "its session has ended" in answer["detail"]) == ("CLOSED", True)
    assert len(await house.bus.dead_letters()) == 1


@pytest.mark.parametrize("cursor", ["x", "0.1", "../../etc", "0.1-1\n", "9" * 41, "0.0-0", "0.١-١"])
async def test_a_cursor_that_is_none_is_refused(client: httpx2.AsyncClient, cursor: str) -> None:
    """With a sentence, and never an error of ours."""
    answer = await client.get("/v1/dead-letters", params={"cursor": cursor})
    assert answer.status_code == 422
    assert "cursor" in answer.json()["detail"]


# ── gateways ─────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_gateways_are_listed(client: httpx2.AsyncClient, house: House) -> None:
    """As they told of themselves; not by which address other processes reach them."""
    await house.bus.advertise(seen("g1", 3, draining=True), 60)
    assert (await client.get("/v1/gateways")).json() == {
        "gateways": [
            {
                "name": "g1", "url": "wss://g1/ws", "places": 3, "sessions": 0, "draining": True,
                "transports": ["websocket"],
            }
        ]
    }  # fmt: skip


async def test_the_gateway_with_the_most_room_is_chosen() -> None:
    """And those just sent there count, until it tells of them itself: a burst is spread."""
    bus, clock = MemoryBus(), Clock()
    way_in = WayIn(clock)
    await bus.advertise(seen("g1", 2), 60)
    await bus.advertise(seen("g2", 4), 60)
    await bus.advertise(seen("g3", 99, draining=True), 60)
    await bus.advertise(seen("g4", 99, transports=("sip",)), 60)
    names = [(await way_in.gateway(bus, "websocket")).name for _ in range(6)]
    assert sorted(names) == ["g1", "g1", "g2", "g2", "g2", "g2"]
    with pytest.raises(Problem, match="every gateway is full"):
        await way_in.gateway(bus, "websocket")
    clock.time += 3.0
    assert (await way_in.gateway(bus, "websocket")).name == "g2"


async def test_who_asks_on_and_never_comes_keeps_nobody_out() -> None:
    """Places are kept for some whom one asker sends; all of them count when a gateway is chosen."""
    bus, way_in = MemoryBus(), WayIn(Clock())
    await bus.advertise(seen("g1", 30), 60)
    await bus.advertise(seen("g2", 30), 60)
    sent = [(await way_in.gateway(bus, "websocket", "address 10.0.0.1")).name for _ in range(500)]
    assert sent.count("g1") == sent.count("g2") == 250
    for number in range(2, 6):
        for _ in range(10):
            await way_in.gateway(bus, "websocket", f"address 10.0.0.{number}")
    with pytest.raises(Problem, match="every gateway is full"):
        await way_in.gateway(bus, "websocket")


async def test_why_there_is_no_gateway_is_said() -> None:
    """None at all, or only those that are about to stop."""
    bus = MemoryBus()
    with pytest.raises(Problem, match="no gateway is there"):
        await WayIn().gateway(bus, "websocket")
    await bus.advertise(seen("g1", draining=True), 60)
    with pytest.raises(Problem, match="about to stop"):
        await WayIn().gateway(bus, "websocket")


async def test_figures_say_what_waits(client: httpx2.AsyncClient, house: House) -> None:
    """`/metrics` has each stage's queue and workers as they are when it is asked; and none of them while the log doesn't tell."""
    await house.bus.take("stt", 0, "stt-1", 1)

    async def told() -> list[str]:
        lines = (await client.get("/metrics")).text.splitlines()
        return [line for line in lines if line.startswith(("antiphon_queue_", "antiphon_workers{"))]

    assert {'antiphon_workers{stage="stt"} 1.0', 'antiphon_workers{stage="llm"} 0.0'} <= set(await told())
    house.waits_for = "the log has not answered yet"
    assert await told() == []


async def test_figures_do_not_wait_for_a_log_that_stalls(
    client: httpx2.AsyncClient, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Prometheus gives up after ten seconds: then the other figures would be lost, too."""
    stalled = asyncio.Event()

    async def stages() -> list[StageSeen]:
        await stalled.wait()
        return []

    monkeypatch.setattr(house.bus, "stages", stages)
    monkeypatch.setattr("api.house._PATIENCE", 0.01)
    told = (await client.get("/metrics")).text
    assert "antiphon_api_requests_total" in told
    assert "antiphon_workers{" not in told
