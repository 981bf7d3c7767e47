"""Two sessions compared: where they part, and in what."""

import asyncio
import io
import json
import random
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console
from typer.testing import CliRunner

from ops import cli, console, reading
from ops.replay.diff_page import write_diff_page
from schemas.events import Event, ReplySentence, SessionStarted, TranscriptFinal, TurnCommitted, TurnEnded
from schemas.session.comparing import Diff, Session, Told, compared, differences, told
from schemas.session.comparing._words import likeness
from schemas.session.export import export
from tests.archive import Archive
from tests.golden import scenarios
from tests.ops.reading.test_terminal import EVIL, harmless, hostile
from tests.ops.replay.sounding import sounding


async def parted(first: list[Event], second: list[Event]) -> Diff:
    log = Archive(first, second)
    return differences(await told(log, "s1"), await told(log, "s2"))


def changed(log: list[Event], kind: type[Event], count: int = 1, **fields: Any) -> list[Event]:
    """The first `count` events of that kind are other than they were."""
    made = []
    for event in log:
        if isinstance(event, kind) and count:
            event, count = event.model_copy(update=fields), count - 1
        made.append(event)
    return made


def kinds(found: Diff) -> list[str]:
    assert found.divergence is not None
    return [one.kind for one in found.divergence.differences]


# ── the same ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("scenario", scenarios.SOUND, ids=lambda scenario: scenario.__name__)
async def test_a_session_does_not_part_from_itself(scenario) -> None:  # type: ignore[no-untyped-def]
    """Every turn is paired with itself, and nothing differs."""
    found = await parted(scenario(), scenario())
    assert found.divergence is None
    assert (found.wer, found.settings) == (0.0, ())
    assert all(pair.first is not None and pair.second is not None for pair in found.pairs)
    assert [pair.differences for pair in found.pairs] == [()] * len(found.pairs)
    assert found.view()["same"] is True


async def test_only_slower_is_no_parting() -> None:
    """Another wait is told, with the part it lies in, and nothing else."""
    log = scenarios.plain()
    first = next(event.seq for event in log if isinstance(event, ReplySentence))
    late = [event.model_copy(update={"at": event.at + 400_000}) if event.seq >= first else event for event in log]
    found = await parted(log, late)
    assert found.divergence is None
    ((difference,),) = [pair.differences for pair in found.pairs if pair.differences]
    assert difference.kind == "slower"
    assert re.fullmatch(r"answered 400 ms slower: 965 instead of 565 ms, \w+ \+\d+ ms", difference.text)


# ── other ────────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_another_transcript_is_told_word_by_word() -> None:
    """Which words, and their share of all that was heard."""
    found = await parted(
        scenarios.barge_in(), changed(scenarios.barge_in(), TranscriptFinal, text="Tell me the story, now!")
    )
    assert kinds(found) == ["heard"]
    (pair,) = [pair for pair in found.pairs if pair.parts]
    assert [(one.kind, one.before, one.after) for one in pair.heard.stretches] == [
        ("same", "Tell me", "Tell me"),
        ("other", "a", "the"),
        ("same", "story.", "story,"),
        ("new", "", "now!"),
    ]
    assert pair.heard.rate == 2 / 4
    assert 0 < found.wer <= 0.5


async def test_where_turns_are_one_in_the_other_only_words_count() -> None:
    """What was heard otherwise is a share of all words, wherever a turn begins; however many are put in, it is not more than
    all."""
    one = await told(Archive(scenarios.plain()), "s1")

    def said(*texts: str) -> Session:
        return replace(one, turns=tuple(Told(n, False, 3.0 * n, said=text) for n, text in enumerate(texts, 1)))

    two, whole = ("I'd like to know", "whether you have a table."), "I'd like to know whether you have a table."
    for first, second in ((two, (whole,)), ((whole,), two)):
        found = differences(said(*first), said(*second))
        assert (found.wer, found.divergence is None) == (0.0, False)
    assert differences(said("Yes."), said("No, not at all, I'd say.")).wer == 1.0
    assert differences(said(), said("Hello?")).wer == 1.0
    assert differences(said("A table for two."), said("A table for two, please.")).wer == 1 / 5
    assert differences(said(), said()).wer == 0.0


_SAID = st.lists(st.text(alphabet="ab ", max_size=12), max_size=4)


@given(_SAID, _SAID)
@settings(max_examples=200, deadline=None)
def test_how_much_was_heard_otherwise_is_a_share(one: list[str], other: list[str]) -> None:
    """0 to 1, the same from either side, and 0 for the same words."""
    share = compared(" ".join(one), " ".join(other)).share
    assert 0.0 <= share <= 1.0
    assert compared(" ".join(other), " ".join(one)).share == share
    assert (share == 0.0) == (" ".join(one).split() == " ".join(other).split())


async def test_a_decision_that_came_earlier_is_told() -> None:
    """How much, and after how long a silence, and for which other reason."""
    found = await parted(scenarios.plain(), changed(scenarios.plain(), TurnCommitted, delay=0.1, why="silence"))
    assert kinds(found) == ["decided", "decided"]
    texts = [one.text for one in found.divergence.differences]  # type: ignore[union-attr]
    assert re.fullmatch(r"gave the floor \d+ ms earlier: 100 ms after the last word, instead of \d+ ms", texts[0])
    assert texts[1] == "gave the floor by silence instead of end of turn"


async def test_another_reply_is_told() -> None:
    """With its words marked; the turn before it is none the less the same."""
    found = await parted(scenarios.tools(), changed(scenarios.tools(), ReplySentence, text="Hold on."))
    assert "said" in kinds(found)
    assert found.pairs[0].said.stretches[0].kind == "other"


async def test_another_end_is_told() -> None:
    """What was interrupted there, and answered here."""
    whole = changed(scenarios.barge_in(), TurnEnded, how="played", reason="finished", heard="x")
    found = await parted(scenarios.barge_in(), whole)
    assert kinds(found) == ["ended"]
    assert "was answered, where the first was interrupted: the user spoke" in str(found.divergence)
    figures = found.figures()
    assert (figures["interrupted"], figures["turns"]) == ((1, 0), (2, 2))


async def test_a_turn_that_only_one_has_moves_no_other() -> None:
    """However numbers drift apart, turns are paired by what was said."""
    log = scenarios.barge_in()
    without = [event for event in log if event.turn != 1]
    for first, second, missing in ((log, without, "lacks"), (without, log, "has")):
        found = await parted(first, second)
        assert kinds(found) == ["alone"]
        assert found.divergence is not None
        assert found.divergence.differences[0].text.startswith(
            f"{missing} this turn: “Tell me a story.”, was interrupted"
        )
        assert [pair.name for pair in found.pairs] == ["turn 1", "turn 2"]
        assert not found.pairs[1].parts


async def test_settings_that_differ_are_named() -> None:
    """By their path in an agent file."""
    log = scenarios.plain()
    assert isinstance(log[0], SessionStarted)
    agent = log[0].agent.model_copy(
        update={
            "instructions": "Be long.",
            "turn_taking": log[0].agent.turn_taking.model_copy(update={"commit_silence": 1.2}),
        }
    )
    found = await parted(log, changed(log, SessionStarted, agent=agent))
    assert [(one.name, one.before, one.after) for one in found.settings] == [
        ("instructions", "Be brief.", "Be long."),
        ("turn_taking.commit_silence", 0.7, 1.2),
    ]
    assert found.divergence is None


async def test_a_fork_says_what_it_was_made_of() -> None:
    """By the metadata of its first event."""
    forked = changed(scenarios.plain(), SessionStarted, metadata={"forked_from": {"session": "s1", "turn": 2}})
    found = await parted(scenarios.plain(), forked)
    assert found.view()["second"]["forked_from"] == {"session": "s1", "turn": 2}
    assert "forked from s1" in printed(found)


async def test_sessions_that_have_nothing_in_common_are_told_apart() -> None:
    """Each turn stands alone, or is paired with one of its kind; nothing is lost."""
    for first in scenarios.SOUND:
        for second in scenarios.SOUND:
            found = await parted(first(), second())
            assert [pair.first.turn for pair in found.pairs if pair.first] == sorted_turns(found.first.turns)
            assert [pair.second.turn for pair in found.pairs if pair.second] == sorted_turns(found.second.turns)
            json.dumps(found.view())
            printed(found)


def sorted_turns(turns: Any) -> list[int]:
    return [turn.turn for turn in turns]


# ── words ────────────────────────────────────────────────────────────────────────────────────────────────────────────


_BEFORE = st.lists(st.sampled_from(["a", "b", "c", "d'x", "É", "—", "…", ","]), max_size=12)
_AFTER = st.lists(st.sampled_from(["a", "b", "c", "D'X", "é", "—", "!"]), max_size=12)


@given(_BEFORE, _AFTER)
@settings(max_examples=300, deadline=None)
def test_words_are_all_there(before: list[str], after: list[str]) -> None:
    """Whatever two texts are: their stretches are the texts, and as many errors as they say."""
    found = compared(" ".join(before), " ".join(after))

    def bare(words: list[str]) -> list[str]:
        return [word.strip("—…,!").casefold() for word in words if word.strip("—…,!")]

    assert bare(" ".join(one.before for one in found.stretches).split()) == bare(before)
    assert bare(" ".join(one.after for one in found.stretches).split()) == bare(after)
    assert found.words == len(bare(before))
    assert found.same == (bare(before) == bare(after))
    assert found.errors <= max(len(bare(before)), len(bare(after))) or not (bare(before) and bare(after))


def test_case_and_marks_are_no_difference() -> None:
    """Nor is another apostrophe; another word is."""
    assert compared("What’s your name?", "what's YOUR name").same
    assert not compared("What's your name?", "What's your game?").same
    assert compared("", "").same
    assert (compared("", "a b").errors, compared("a b", "").errors) == (2, 2)


# ── printed ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def printed(found: Diff, **more: Any) -> str:
    out = Console(file=io.StringIO(), width=160, highlight=False)
    reading.print_diff(found, out=out, **more)
    assert isinstance(out.file, io.StringIO)
    return out.file.getvalue()


async def test_it_is_printed_with_the_parting_first() -> None:
    """Which sessions, where they part, the turns that differ, and what it comes to."""
    found = await parted(
        scenarios.barge_in(), changed(scenarios.barge_in(), TranscriptFinal, text="Tell me the story.")
    )
    said = printed(found)
    assert said.splitlines()[0].startswith("A  s1 · ")
    assert "They part in turn 1, " in said
    assert "heard  Tell me [-a-]{+the+} story." in said
    assert "1 turn is the same in both (--all shows them)." in said
    assert re.search(r"of the words heard otherwise · turns 2 → 2 · interrupted 1 → 1", said)
    assert printed(found, everything=True).count("turn 2") >= 1


async def test_hostile_words_reach_no_terminal() -> None:
    """What strangers say is spelled out."""
    found = await parted(hostile(), scenarios.plain())
    out = io.StringIO()
    reading.print_diff(found, out=console.terminal(file=out, width=100))
    assert EVIL not in out.getvalue()
    assert harmless(out.getvalue())
    assert "owned" in out.getvalue()


# ── the page ─────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_the_page_has_both_with_their_sound(tmp_path: Path) -> None:
    """Two players, each turn side by side, the parting marked, and nothing from elsewhere."""
    second = changed(scenarios.barge_in(), TranscriptFinal, text="Tell me <b>the</b> story.")
    log = sounding(scenarios.barge_in(), second)
    found = differences(await told(log, "s1"), await told(log, "s2"))
    file = tmp_path / "diff.html"
    sounds = await write_diff_page(found, (log, log), file)
    page = file.read_text("utf-8")
    assert all(sound.file is not None for sound in sounds)
    assert page.count("<audio ") == 2
    assert page.count('class="pair') == 2
    assert page.count("here they part") == 1
    assert "<del>a</del>" in page
    assert "&lt;b&gt;the&lt;/b&gt;" in page
    assert "<b>the</b>" not in page
    assert not re.search(r"""(?:src|href)=["'](?!data:audio/ogg)""", page)


# ── the command ──────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_the_command_compares_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two exports; as JSON, as a page, and with an exit code for scripts."""
    monkeypatch.chdir(tmp_path)
    other = changed(scenarios.barge_in(), TurnCommitted, delay=2.0)
    log = sounding(scenarios.barge_in(), other)
    await export(log, "s1", tmp_path / "a.zip")
    await export(log, "s2", tmp_path / "b.zip")

    async def diff(*arguments: str) -> Any:
        return await asyncio.to_thread(CliRunner().invoke, cli.app, ["diff", *arguments])

    result = await diff("a.zip", "b.zip", "--json", "--html", "diff.html", "--exit-code")
    assert result.exit_code == 1, result.output
    view = json.loads(result.stdout)
    assert (view["same"], view["divergence"]["turn"], view["html"]) == (False, "turn 1", "diff.html")
    assert view["divergence"]["differences"][0]["kind"] == "decided"
    assert (tmp_path / "diff.html").is_file()
    same = await diff("a.zip", "a.zip", "--exit-code")
    assert same.exit_code == 0, same.output
    assert "They do not part" in same.stdout
    assert (await diff("a.zip", "b.zip")).exit_code == 0


def test_thousands_of_turns_are_paired_in_seconds() -> None:
    """An hour of conversation, with turns that only one of both has."""
    from schemas.session.comparing._turns import Told, paired

    dice = random.Random(1)
    words = [f"word{number}" for number in range(300)]
    first = [Told(turn=n, own=False, at=n * 6.0, said=" ".join(dice.sample(words, 6))) for n in range(600)]
    second = [turn for turn in first if turn.turn % 50]
    pairs = paired(first, second)
    assert [one.turn for one, other in pairs if other is None and one is not None] == list(range(0, 600, 50))
    assert all(one is other for one, other in pairs if one is not None and other is not None)


def test_of_far_too_many_turns_the_first_are_paired(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stranger's file may have ten thousand of them: those beyond stand alone, and none is lost."""
    from schemas.session.comparing import _turns

    monkeypatch.setattr(_turns, "_MOST", 2_000)
    monkeypatch.setattr(_turns, "_FEWER", 20)
    first = [_turns.Told(turn=n, own=False, at=n * 6.0, said=f"word{n}") for n in range(100)]
    pairs = _turns.paired(first, first[:30])
    assert pairs[:20] == [(one, one) for one in first[:20]]
    assert pairs[20:] == [*((one, None) for one in first[20:]), *((None, other) for other in first[20:30])]


def test_texts_of_any_length_are_compared() -> None:
    """In the memory of some thousands of words, and no slower for each."""
    found = compared("a b " * 25_000, "a c " * 25_000)
    assert (found.words, found.errors) == (50_000, 25_000)
    assert " ".join(one.before for one in found.stretches) == ("a b " * 25_000).strip()
    assert compared("a " * 30_000, "").errors == 30_000
    assert likeness("a b " * 100_000, "c a " * 100_000) == 0.5
