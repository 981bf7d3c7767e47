"""A call on one page: all of it, heard where it is clicked, and nothing in it but what we wrote."""

import asyncio
import base64
import hashlib
import html.parser
import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import soundfile
from typer.testing import CliRunner

from ops import cli
from ops.replay.page import write_page
from ops.stack.web_app import ROOT, chromium
from schemas.errors import AntiphonError
from schemas.events import (
    ClipReady,
    Event,
    MessageReceived,
    ParticipantJoined,
    ReplySentence,
    SessionStarted,
    TranscriptFinal,
    Word,
)
from schemas.session.export import export
from tests.archive import Archive
from tests.golden import scenarios
from tests.ops.replay.sounding import sounding
from tests.servers import unable

ATTACK = (
    "</script><script>alert(1)</script><img src=x onerror=alert(2)>"
    """ " onmouseover="alert(3)" x='&#34;--><svg onload=alert(4)>"""
)
LOOK = Path(__file__).with_name("look.mjs")


async def page_of(log: list[Event], folder: Path, **more: Any) -> str:
    file = folder / "call.html"
    await write_page(sounding(log), "s1", file, **more)
    return file.read_text("utf-8")


class Tags(html.parser.HTMLParser):
    """What a browser would make of it: every element, with its attributes."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self._raw = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        self._raw = tag if tag in ("script", "style") else ""

    def handle_endtag(self, tag: str) -> None:
        self._raw = ""

    def handle_data(self, data: str) -> None:
        if not self._raw:
            self.text += data

    def of(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for found, attributes in self.found if found == tag]


# ── what is on it ────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("scenario", scenarios.SOUND, ids=lambda scenario: scenario.__name__)
async def test_every_session_has_a_page(scenario, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    """Each turn once, in order of time, and each event in words."""
    page = Tags(await page_of(scenario(), tmp_path))
    turns = {event.turn for event in scenario() if event.turn is not None}
    assert len(page.of("article")) == len(turns)
    assert len([one for one in page.of("tr") if not one]) >= len(scenario())


async def test_it_tells_what_was_said_and_why_it_took_so_long(tmp_path: Path) -> None:
    """Words, what was not heard of them, the waterfall with its milliseconds, how it ended."""
    page = Tags(await page_of(scenarios.barge_in(), tmp_path))
    for said in (
        "Tell me a story.",
        "Once",
        "605 ms",
        "finding the words",
        "was interrupted: the user spoke",
        "hung up",
    ):
        assert said in page.text
    unheard = [one for one in page.of("span") if "unheard" in (one.get("class") or "")]
    assert unheard
    assert {one["class"] for one in page.of("rect")} >= {"soft_end", "stt", "llm", "tts", "tts wait"}


async def test_a_tool_stands_before_what_was_said_of_its_result(tmp_path: Path) -> None:
    """And behind what was said before it had returned."""
    page = await page_of(scenarios.tools(), tmp_path)
    places = [page.index(said) for said in ("weather(city=", "sunny in Rome")]
    looked = re.search(r">Let me look\.<|>Let<", page)
    assert looked is not None
    assert [looked.start(), *places] == sorted([looked.start(), *places])


async def test_a_note_to_the_agent_is_nobodys_words(tmp_path: Path) -> None:
    """What somebody typed is theirs, what the platform told the agent is called a note."""
    log = scenarios.tools()
    place = next(place for place, event in enumerate(log) if isinstance(event, MessageReceived))
    assert "<b>note</b>" not in await page_of(log, tmp_path)
    log[place] = log[place].model_copy(update={"text": "keys pressed: 1", "note": True})
    assert "<b>note</b><p>keys pressed: 1</p>" in await page_of(log, tmp_path)


async def test_words_and_bars_lead_to_their_sound(tmp_path: Path) -> None:
    """Each has the second at which it is heard, within the call."""
    page = Tags(await page_of(scenarios.barge_in(), tmp_path))
    moments = [float(one["data-at"] or "") for _, one in page.found if "data-at" in one]
    assert len(moments) > 40
    assert 0 <= min(moments) <= max(moments) <= 8.0
    word = next(one for one in page.of("span") if one.get("class") == "word")
    assert float(word["data-at"] or 0) == pytest.approx(1.0, abs=0.3)


async def test_its_sound_is_in_it(tmp_path: Path) -> None:
    """As Opus, playable, as long as the call."""
    page = await page_of(scenarios.barge_in(), tmp_path)
    found = re.search(r'<audio [^>]*src="data:audio/ogg;base64,([A-Za-z0-9+/=]+)"', page)
    assert found is not None
    (tmp_path / "sound.opus").write_bytes(base64.b64decode(found[1], validate=True))
    assert soundfile.info(tmp_path / "sound.opus").duration == pytest.approx(8.0, abs=0.1)


async def test_too_much_sound_is_left_out_and_said(tmp_path: Path) -> None:
    """With the command that writes it; all else is there. The same where nothing of it is left."""
    page = await page_of(scenarios.barge_in(), tmp_path, most_sound=1_000)
    assert "<audio" not in page
    assert "is more than this page holds" in page
    assert "antiphon recording s1 call.opus" in page
    await write_page(Archive(scenarios.barge_in()), "s1", tmp_path / "silent.html")
    assert "were gone already" in (tmp_path / "silent.html").read_text("utf-8")


async def test_a_place_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    """And nothing is left behind."""
    with pytest.raises(AntiphonError, match=r"none/call\.html: cannot be written \(No such file"):
        await write_page(sounding(scenarios.plain()), "s1", tmp_path / "none" / "call.html")


# ── and what can't be ────────────────────────────────────────────────────────────────────────────────────────────────


def attacking() -> list[Event]:
    """Everything that can be named or said is an attack."""
    spoilt: list[Event] = []
    for event in scenarios.tools():
        match event:
            case SessionStarted():
                event = event.model_copy(
                    update={
                        "room": ATTACK,
                        "agent": event.agent.model_copy(update={"name": ATTACK}),
                        "warnings": [ATTACK],
                    }
                )
            case ParticipantJoined():
                event = event.model_copy(update={"name": ATTACK})
            case TranscriptFinal():
                event = event.model_copy(update={"text": ATTACK, "words": [Word(text=ATTACK, start=0.0, end=0.5)]})
            case ReplySentence() | ClipReady():
                event = event.model_copy(update={"text": ATTACK})
                if isinstance(event, ClipReady):
                    event = event.model_copy(update={"words": [Word(text=ATTACK, start=0.0, end=0.5)]})
            case _:
                fields = {
                    name: ATTACK
                    for name in ("text", "name", "result", "error", "message", "detail", "instructions", "heard")
                    if isinstance(getattr(event, name, None), str)
                }
                event = event.model_copy(update=fields)
        spoilt.append(event)
    return spoilt


async def test_nothing_that_was_said_becomes_part_of_the_page(tmp_path: Path) -> None:
    """Names, words, tools' results, warnings: text, whatever stands in them; no element, no attribute of theirs."""
    page = await page_of(attacking(), tmp_path)
    assert ATTACK not in page
    tags = Tags(page)
    assert [tag for tag, _ in tags.found if tag in ("img", "iframe", "object", "embed", "link", "base", "form")] == []
    assert len(tags.of("script")) == 1
    assert not [name for _, attributes in tags.found for name in attributes if name.startswith("on") or name == "style"]
    assert tags.text.count("alert(1)") > 5


async def test_its_own_policy_lets_nothing_in(tmp_path: Path) -> None:
    """No other script than the one whose hash stands in it, nothing from elsewhere, nothing sent anywhere."""
    page = await page_of(scenarios.barge_in(), tmp_path)
    tags = Tags(page)
    (policy,) = [one["content"] for one in tags.of("meta") if one.get("http-equiv") == "Content-Security-Policy"]
    assert policy is not None
    assert policy.startswith("default-src 'none'; ")
    assert "unsafe" not in policy
    for tag in ("script", "style"):
        (content,) = re.findall(rf"<{tag}>(.*?)</{tag}>", page, re.DOTALL)
        expected = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{expected}'" in policy
    assert not re.search(r"https?://", re.sub(r"<audio.*?</audio>", "", page))


async def test_hostile_characters_are_spelled_out(tmp_path: Path) -> None:
    """No control and no mark that turns the direction of what follows."""
    log = [
        event.model_copy(update={"text": "a\u202eb\x00c"}) if isinstance(event, TranscriptFinal) else event
        for event in scenarios.plain()
    ]
    page = await page_of(log, tmp_path)
    assert not re.search("[\u202e\x00\ud800-\udfff]", page)
    assert "a\\u202eb\\x00c" in page


# ── the command, and a browser ───────────────────────────────────────────────────────────────────────────────────────


async def test_the_command_writes_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`antiphon show FILE --html`, from an export; --json says whether its sound is in it."""
    monkeypatch.chdir(tmp_path)
    await export(sounding(scenarios.barge_in()), "s1", tmp_path / "call.zip")
    ask = ["show", "call.zip", "--html", "call.html", "--json"]
    result = await asyncio.to_thread(CliRunner().invoke, cli.app, ask)
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout) == {
        "version": 1, "session": "s1", "file": "call.html", "sound": True, "note": "",
    }  # fmt: skip
    assert "Tell me a story." in (tmp_path / "call.html").read_text("utf-8")


@pytest.mark.parametrize("attacked", [False, True])
async def test_in_a_browser_a_word_that_is_clicked_is_heard(attacked: bool, tmp_path: Path) -> None:
    """The sound plays from there, nothing complains, nothing is loaded, no attack runs; it fits a phone."""
    modules = ROOT / "web" / "node_modules"
    if not chromium() or not shutil.which("node") or not modules.is_dir():
        unable("no chromium, node or web/node_modules here (ops/locks/browsers.sh, ops/locks/web.sh modules)")
    await page_of(attacking() if attacked else scenarios.barge_in(), tmp_path)
    process = await asyncio.create_subprocess_exec(
        "node", str(LOOK), str(modules), chromium(), str(tmp_path / "call.html"), str(tmp_path / "page.png"),
        stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    async with asyncio.timeout(50):
        out, _ = await process.communicate()
    assert process.returncode == 0
    seen = json.loads(out.decode().splitlines()[-1])
    assert seen["said"] == []
    assert seen["wanted"] <= seen["found"] < seen["wanted"] + 3
    assert seen["overflows"] == [False, False]
    assert seen["theme"] in ("dark", "light")
