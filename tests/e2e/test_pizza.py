"""docs/pizza.md, followed as it stands: a pizzeria by text, browser and phone, killed as it orders, tested, changed."""

import asyncio
import inspect
import json
import os
import re
import shutil
import sys
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytest_asyncio
import yaml

from ops.simulate.sound import Voice
from ops.stack.here import running
from ops.stack.web_app import ROOT
from schemas.bus import Bus
from schemas.config.settings import Settings
from schemas.events import Event, FieldCollected, ReplySentence, SessionStarted, ToolCalled, ToolReturned, TurnEnded
from schemas.log import connected
from schemas.session.promises import violations
from tests.e2e.browsers import lacking, run_in_a_browser
from tests.gateway.rooms.sip.baresip import Baresip, two_free_ports
from tests.gateway.rooms.sip.conftest import needs
from tests.servers import unable

PAGE = ROOT / "docs" / "pizza.md"
ELSEWHERE = ("make setup", "export PATH=")
"""What had to be done for this test to run."""
NOISE = {"seq", "at", "ago", "by", "trace", "inputs", "audio", "cause", "clock", "saw"}
"""Of an event, where it is told why a test failed."""
WAIT = "One moment, please."
SECTION = re.compile(r"^## (.+?)\n(.*?)(?=^## |\Z)", re.MULTILINE | re.DOTALL)


def typed(section: str) -> list[str]:
    """What is to be typed in a section of the page."""
    page = re.sub(r"```.*?```", "", PAGE.read_text("utf-8"), flags=re.DOTALL)  # those are to be read
    found = dict(SECTION.findall(page))
    return [line[4:] for line in found[section].splitlines() if line.startswith("    ")]


@dataclass
class Shop:
    """Somebody who follows the page, in a folder of their own. `counter`: the port of the phone calls are handed over to."""

    folder: Path
    phones: int
    counter: int
    bus: Bus | None = None

    async def follow(self, section: str) -> str:
        """Type what stands in a section; answers what was printed, by all of it."""
        settings = ("Have it", "A model, or none", "Start it")
        exports = [line for name in settings for line in typed(name) if line.startswith("export ")]
        lines = [line for line in (*exports, *typed(section)) if not line.startswith(ELSEWHERE)]
        script = "\n".join(lines).replace(":5060", f":{self.phones}").replace("up --detach", "up --detach --free-ports")
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        environment = {**os.environ, "PATH": path, "NO_COLOR": "1", "COLUMNS": "150"}
        output = self.folder / "output"
        with output.open("wb") as told:  # no pipe: what stays in the background would keep it open
            process = await asyncio.create_subprocess_exec(
                "bash", "-ec", script, cwd=self.folder, env=environment, stdin=asyncio.subprocess.DEVNULL,
                stdout=told, stderr=told,
            )  # fmt: skip
        try:
            async with asyncio.timeout(100):
                code = await process.wait()
        except TimeoutError:
            process.kill()
            code = await process.wait()
        out = await asyncio.to_thread(output.read_text)
        assert code == 0, f"{section}: exit code {code}\n{out}"
        return out

    def orders(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self.folder / "pizza-orders.jsonl").read_text().splitlines()]

    async def last(self, transport: str = "") -> list[Event]:
        """The log of the session that began last, of that transport ("": of any); none: there is none."""
        assert self.bus is not None
        sessions = [*await self.bus.sessions(), *await self.bus.closed()]
        logs = [log for one in sessions if (log := await self.bus.read(one.session))]
        fit = [log for log in logs if isinstance(log[0], SessionStarted) and transport in ("", log[0].transport)]
        return max(fit, key=lambda log: log[0].at, default=[])

    async def until(self, transport: str, fits: Callable[[Event], bool], seconds: float = 30.0) -> list[Event]:
        """Wait for an event of the last session of that transport; answers its log."""
        for _ in range(int(seconds / 0.1)):
            log = await self.last(transport)
            if any(map(fits, log)):
                return log
            await asyncio.sleep(0.1)
        raise AssertionError("it never came:\n" + "\n".join(map(brief, log)))

    async def answers(self, transport: str, count: int) -> list[str]:
        """So many of the agent's answers (but what bridges a wait), as soon as they are there, in the last session of that
        transport."""
        found: list[str] = []

        def there(event: Event) -> bool:
            if event.type == "session.started":
                found.clear()
            if isinstance(event, TurnEnded) and event.heard not in ("", WAIT):
                found.append(event.heard)
            return len(found) >= count

        await self.until(transport, there)
        return found


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def shop(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Shop]:
    """As far as "Start it"."""
    folder = tmp_path_factory.mktemp("clone")
    (folder / "ops").symlink_to(ROOT / "ops")
    one = Shop(folder, two_free_ports(), two_free_ports())
    assert "pizza" in await one.follow("Have it")
    spec = folder / "agents" / "pizza" / "agent.toml"
    spec.write_text(spec.read_text().replace(":5080", f":{one.counter}"))
    try:
        said = await one.follow("Start it")
        assert f"sip:NUMBER@127.0.0.1:{one.phones}" in said
        stack = running(folder / ".antiphon")
        assert stack is not None
        async with connected(Settings(redis_url=stack["redis_url"])) as one.bus:
            yield one
    finally:
        assert "Stopped" in await one.follow("Stop it")


async def test_all_that_is_to_be_typed_is_typed_here() -> None:
    """Every section of the page that has commands is followed by a test."""
    sections = [name for name, _ in SECTION.findall(PAGE.read_text("utf-8")) if typed(name)]
    followed = set(re.findall(r'follow\("([^"]+)"\)', inspect.getsource(sys.modules[__name__])))
    assert set(sections) - {"A model, or none"} == followed  # which is two settings


async def test_it_starts(shop: Shop) -> None:
    """As far as "Start it": a log, workers and a gateway that answers phones."""
    assert running(shop.folder / ".antiphon") is not None


async def test_in_text(shop: Shop) -> None:
    """The menu, a typed order, the name read back, a confirmation: and the kitchen has it once."""
    said = await shop.follow("In text")
    assert "margherita for 8 or 11 euros" in said
    assert 'order(pizzas=[{"pizza": "margherita", "size": "large", "count": 2}])' in said
    assert "Anna Berg, is that right?" in said
    assert said.count("One moment, please.") == 2  # said, and shown
    assert "Your number is 1" in said
    log = await shop.last()
    (order,) = shop.orders()
    assert order["pizzas"] == [{"pizza": "margherita", "size": "large", "count": 2}]
    assert [event.value for event in log if isinstance(event, FieldCollected) and event.confirmed] == ["Anna Berg"]
    assert log[-1].type == "session.ended"
    assert violations(log) == []


async def test_a_person_in_text(shop: Shop) -> None:
    """Where nobody can be put through to, somebody calls back."""
    said = await shop.follow("In the browser")
    assert "What number can we call you back on?" in said
    assert [order["call"] for order in shop.orders() if "call" in order] == ["030123456"]


async def test_killed_while_it_orders(shop: Shop) -> None:
    """The worker dies with the order handed in: the reply goes on, and there is one order, with its number."""
    said = await shop.follow("Kill it while it orders")
    log = await shop.last()
    (order,) = [order for order in shop.orders() if "funghi" in str(order)]
    answer = (shop.folder / "answer.txt").read_text()
    assert f"Your number is {order['number']}" in answer
    assert "attempt 2" in said
    assert [event.name for event in log if isinstance(event, ToolCalled)].count("place_order") == 1
    assert [event.error for event in log if isinstance(event, ToolReturned) and event.name == "place_order"] == [""]
    sentences = [event.text for event in log if isinstance(event, ReplySentence)]
    assert sentences.count("One moment, please.") == 1
    assert violations(log) == []


ORDER = (
    "I would like three small margheritas, please.",
    "Could I have three small margheritas?",
    "We want three small margheritas.",
)
NOTED = "3 small margherita"
REPLIES = {
    "What name is it under?": ("My name is Anna Berg.", "The name is Tom Miller."),
    "is that right?": ("That is right.", "Yes that is correct."),
    "Shall I place the order?": ("Please do that.", "Yes please."),
    "Anything else?": ("I want to speak to a person.", "A person please."),
}
"""What the phone says to what the agent asked last, and again in other words. Each in one breath: after "Yes," it may answer."""
MOST = 12
"""Lines after which it gives up."""


def reply(answer: str, noted: bool, said: Counter[str]) -> str:
    """What the phone says now: what a small Whisper takes for something else is said again, as people do. `noted`: the agent has
    said the order back as it was meant."""
    asked = next((asked for asked in REPLIES if asked in answer), "") if noted else ""
    lines = REPLIES.get(asked, ORDER)
    said[asked] += 1
    return lines[(said[asked] - 1) % len(lines)]


async def ring(shop: Shop, folder: Path) -> list[Event]:
    """A real phone orders by voice, and asks for a person; until the second phone rings. The call's log."""
    voice, silence = Voice(Settings()), np.zeros(1600, np.int16)
    lines = {line: await voice.speak(line) for lines in (ORDER, *REPLIES.values()) for line in lines}
    await voice.aclose()
    said: Counter[str] = Counter()
    async with (
        Baresip(folder / "counter", silence, user="counter", port=shop.counter) as counter,
        Baresip(folder / "caller", silence) as phone,
    ):
        await phone.dial(f"sip:1@127.0.0.1:{shop.phones}")
        answers = await shop.answers("sip", 1)
        while "put you through" not in answers[-1]:
            assert len(answers) <= MOST, answers
            noted = any(NOTED in answer for answer in answers)
            await phone.say(lines[reply(answers[-1], noted, said)])
            answers = await shop.answers("sip", len(answers) + 1)
        await counter.event("CALL_ESTABLISHED", 30)
        return await shop.until("sip", lambda event: event.type == "session.ended")


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def ringing(shop: Shop, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[asyncio.Task[list[Event]]]:
    """A call by phone, most of which is waited: the tests before the phone's own go on beside it."""
    folder = tmp_path_factory.mktemp("phones")
    task = asyncio.create_task(ring(shop, folder) if shutil.which("baresip") else shop.last())
    yield task
    task.cancel()
    await asyncio.wait([task])


def brief(event: Event) -> str:
    return f"{event.type} {event.model_dump(exclude_defaults=True, exclude=NOISE)}"[:200]


@pytest.mark.timeout(120)
@pytest.mark.usefixtures("ringing")
async def test_in_the_browser(shop: Shop) -> None:
    """Typed into the page: ordered, and in the console the tools with what they answered."""
    if why := lacking():
        unable(why)
    stack = running(shop.folder / ".antiphon")
    assert stack is not None
    await run_in_a_browser("pizza.e2e.ts", stack | {"data": str(shop.folder / ".antiphon")})


async def test_two_callers(shop: Shop) -> None:
    """As CI runs it."""
    said = await shop.follow("Callers who test it")
    assert "2 passed, 0 failed" in said
    suite = ET.parse(shop.folder / "results.xml").getroot()[0]
    assert [case.get("name") for case in suite] == ["order", "person"]
    report = re.sub(r"<[^>]*>", "", (shop.folder / "report.html").read_text("utf-8"))  # each word has a tag
    assert "What number can we call you back on?" in report


async def test_the_workflow_runs_what_the_page_says() -> None:
    """The commands of the GitHub workflow are those that are typed above it, with the same settings."""
    (text,) = re.findall(r"```yaml\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    job = yaml.safe_load(text)["jobs"]["agents"]
    given = dict(
        pair.split("=") for line in [*typed("Have it"), *typed("A model, or none")] if "=" in line
        for pair in line.removeprefix("export ").split() if "PATH" not in pair
    )  # fmt: skip
    assert job["env"] == given
    (command,) = typed("Callers who test it")
    assert command.endswith(job["steps"][2]["run"].removeprefix(".venv/bin/"))


async def test_changed_while_it_runs(shop: Shop) -> None:
    """The next conversation has it, and `dev` tells what was changed and said."""
    said = await shop.follow("Change it")
    assert "1 large margherita for 12 euros" in said
    assert "menu.py changed" in (shop.folder / "dev.txt").read_text()


@pytest.mark.timeout(180)
async def test_on_the_phone(shop: Shop, ringing: asyncio.Task[list[Event]]) -> None:
    """A real phone orders by voice, asks for a person, and is put through to a second phone."""
    needs("baresip")
    log = await ringing
    told = "\n".join(map(brief, log))
    wanted = [{"pizza": "margherita", "size": "small", "count": 3}]
    assert [order.get("pizzas") for order in shop.orders()].count(wanted) == 1, told
    assert log[-1].reason == "transferred", told  # type: ignore[attr-defined]
    assert violations(log) == []
