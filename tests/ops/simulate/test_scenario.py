"""Scenario files: what they may say, and what is said of those that are wrong."""

from pathlib import Path

import pytest

from ops.simulate.scenario import TEMPERS, ScenarioError, inline, load, scenarios

GOOD = '[caller]\nlines = ["Hello."]\n'


def wrong(text: str) -> str:
    with pytest.raises(ScenarioError) as raised:
        inline(text, "order.toml")
    return str(raised.value)


def test_all_that_may_be_said() -> None:
    """Every key, in one file."""
    spec = inline("""
description = "A table for four."
[caller]
persona = "Anna"
goal = "book a table"
facts = ["four guests", "at eight"]
temper = ["impatient", "on a bad line"]
name = "Anna Berg"
attributes = { plan = "gold" }
turns = 9
seconds = 60
[expect]
said = ["eight o'clock", "/table for (4|four)/"]
never = ["as an AI"]
called = [{ name = "book", arguments = { guests = 4 }, times = 1 }]
not_called = ["transfer"]
ended = true
latency_p95 = 2.0
turns = 10
interruptions = true
[judge]
criteria = ["The agent confirms the time."]
""").spec
    assert spec.caller.temper == ["impatient", "bad line"]
    assert spec.expect.called[0].arguments == {"guests": 4}


@pytest.mark.parametrize("written", ["mumbling", "Mumbling", ["mumbling"]])
def test_one_temper_or_several(written: str | list[str]) -> None:
    """However somebody writes them."""
    assert inline(f'[caller]\ngoal = "x"\ntemper = {written!r}'.replace("'", '"')).spec.caller.temper == ["mumbling"]
    assert inline('[caller]\ngoal = "x"\ntemper = "bad_line"').spec.caller.temper == ["bad line"]


def test_facts_as_a_list_a_text_or_a_table() -> None:
    """All three are told to who plays the caller."""
    for facts in ('["name: Anna", "guests: 4"]', '"""\n- name: Anna\n- guests: 4"""', '{ name = "Anna", guests = 4 }'):
        assert inline(f'[caller]\ngoal = "x"\nfacts = {facts}').spec.caller.facts == ["name: Anna", "guests: 4"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "order.toml: caller is missing; expected a table [caller] with a goal, or with lines"),
        ("[caller]\n", "a caller has a goal (a model plays them), or lines (they say these)"),
        ("[caller", "order.toml: not TOML: "),
        (GOOD + "[expect]\nsayd = []", 'order.toml, line 4: unknown key "sayd" in [expect]; did you mean "said"?'),
        (GOOD + 'temper = "angry"', "order.toml, line 3: caller.temper = "),
        (GOOD + 'temper = "angry"', ", ".join(f'"{temper}"' for temper in TEMPERS)),
        (GOOD + '[expect]\nsaid = ["/a(/"]', "line 4: expect.said = "),
        (GOOD + '[expect]\nsaid = [""]', "expected a text that says something"),
        (
            GOOD + '[expect]\ncalled = [{ nam = "x" }]',
            'unknown key "nam" in expect.called; Allowed: name, arguments, times',
        ),
        (GOOD + '[expect]\nlatency_p95 = "slow"', 'line 4: expect.latency_p95 = "slow"; expected a number above 0'),
        ('[caller]\nlines = ["  "]', "expected lines of 1 to 4000 characters"),
    ],
)
def test_what_is_wrong_is_told(text: str, said: str) -> None:
    """With file and line, and what is allowed."""
    assert said in wrong(text)


def test_by_name_by_file_and_by_folder(tmp_path: Path) -> None:
    """All of a folder, or those that are named; what isn't there is told with what is."""
    folder = tmp_path / "scenarios"
    folder.mkdir()
    for name in ("b", "a"):
        (folder / f"{name}.toml").write_text(GOOD)
    other = tmp_path / "other.toml"
    other.write_text(GOOD)
    assert [one.name for one in scenarios(folder)] == ["a", "b"]
    assert [one.name for one in scenarios(folder, ["b", str(other), "b"])] == ["b", "other"]
    assert [one.name for one in scenarios(tmp_path / "none", [str(folder)])] == ["a", "b"]
    with pytest.raises(ScenarioError, match="no scenario 'c', and no such file or folder; there is a, b in "):
        scenarios(folder, ["c"])
    with pytest.raises(ScenarioError, match=r"none: no scenarios there; expected NAME\.toml files"):
        scenarios(tmp_path / "none")


def test_all_that_is_wrong_in_any_of_them_is_told_at_once(tmp_path: Path) -> None:
    """Not file by file; what is no text, or too much of it, is told, too."""
    (tmp_path / "a.toml").write_text("[caller]\ngaol = 1\n")
    (tmp_path / "b.toml").write_bytes(b"\xff\xfe")
    (tmp_path / "c.toml").write_text("# " + "x" * 300_000)
    with pytest.raises(ScenarioError) as raised:
        scenarios(tmp_path)
    text = str(raised.value)
    assert 'a.toml, line 2: unknown key "gaol"' in text
    assert "b.toml: byte 0 is not UTF-8" in text
    assert "c.toml: 300,002 bytes; a scenario has at most 200,000" in text
    with pytest.raises(ScenarioError, match="cannot be read"):
        load(tmp_path / "d.toml")
