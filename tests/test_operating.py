"""docs/operating/*.md and docs/migrating.md say to type what there is: each command and its options, each setting, each page and
file they lead to."""

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from gateway.http.connections import WEBSOCKET
from gateway.http.listening_in import LISTEN
from ops.cli import app
from schemas.config.settings import Settings

ROOT = Path(__file__).parents[1]
PAGES = [*sorted((ROOT / "docs" / "operating").glob("*.md")), ROOT / "docs" / "migrating.md"]
BLOCK = re.compile(r"^ {4,}(?:\w+=\S+ )*(?:sudo )?antiphon (.+)$", re.MULTILINE)
INLINE = re.compile(r"`(?:\w+=\S+ )*antiphon ([a-z][^`]*)`")
SETTING = re.compile(r"\b[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+\b|(?<=`)[A-Z]{4,}(?=[`=])|^ {4}[A-Z]{4,}(?==)", re.MULTILINE)
OTHERS = {
    "AWS_ACCESS_KEY_ID": "AWS'",
    "AWS_ENDPOINT_URL": "AWS'",
    "AWS_REGION": "AWS'",
    "AWS_SECRET_ACCESS_KEY": "AWS'",
    "DEAD": "a line of antiphon.lua",
    "DEAD_TTL": "another",
    "FOLD_VERSION": "a name in schemas/session/fold.py",
    "REDISCLI_AUTH": "valkey-cli's",
    "SENTRY_ENVIRONMENT": "sentry-sdk's",
    "DEEPGRAM_API_KEY": "Deepgram's",
    "OPENAI_API_KEY": "OpenAI's",
    "CARTESIA_API_KEY": "Cartesia's",
    "BGSAVE": "Redis'",
    "FLUSHALL": "Redis'",
    "LASTSAVE": "Redis'",
    "SIGTERM": "a signal",
}
"""Names in capitals that are no setting of ours, and whose they are."""


def commands(page: Path) -> set[str]:
    """What stands behind `antiphon `, without what a comment says."""
    text = page.read_text("utf-8")
    return {found.partition(" #")[0].strip() for found in (*BLOCK.findall(text), *INLINE.findall(text))}


def command_of(words: list[str]) -> tuple[Any, list[str]]:
    """The command that `words` begin with, and the rest of them. UsageError: there is none."""
    found: Any = get_command(app)
    while hasattr(found, "resolve_command"):
        with found.make_context("antiphon", list(words), resilient_parsing=True) as context:
            _, found, words = found.resolve_command(context, words)
    return found, words


@pytest.mark.parametrize(("page", "line"), [(page.name, line) for page in PAGES for line in sorted(commands(page))])
def test_every_command_is_there(page: str, line: str) -> None:
    """Its name, its options, and no more arguments than it takes."""
    command, words = command_of(shlex.split(line))
    takes = {option: one for one in command.params for option in (*one.opts, *one.secondary_opts)}
    given, arguments = [word for word in words if word.startswith("-")], 0
    assert set(given) <= {*takes, "--help"}, f"{page}: antiphon {line}"
    for before, word in zip(["", *words], words, strict=False):
        arguments += not word.startswith("-") and (before not in takes or takes[before].is_flag)
    room = sum(
        max(one.nargs, 0) if one.nargs > 0 else 99 for one in command.params if one.param_type_name == "argument"
    )
    assert arguments <= room, f"{page}: antiphon {line}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_setting_is_there(page: Path) -> None:
    """A name in capitals is a setting, or stands in compose.yml's own variables, or is named above with whose it is."""
    named = {found.strip() for found in SETTING.findall(page.read_text("utf-8"))}
    known = {name.upper() for name in Settings.model_fields} | set(OTHERS)
    known |= set(re.findall(r"^#([A-Z_]+)=", (ROOT / ".env.example").read_text("utf-8"), re.MULTILINE))
    known |= set(re.findall(r"\$\{([A-Z_]+)", (ROOT / "compose.yml").read_text("utf-8")))
    assert named <= known


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_what_it_leads_to_is_there(page: Path) -> None:
    """Links within the repository, paths of it, and alerts exist."""
    text, rules = page.read_text("utf-8"), (ROOT / "ops/deploy/prometheus/antiphon.rules.yml").read_text("utf-8")
    links = re.findall(r"\]\(([\w./-]+\.md)\)", text)
    paths = re.findall(r"`((?:ops|schemas|docs)/[\w/.@-]+)`", text)
    assert [link for link in links if not (page.parent / link).is_file()] == []
    assert [path for path in paths if not (ROOT / path).exists()] == []
    assert [name for name in re.findall(r"`(Antiphon[A-Z]\w+)`", text) if f"alert: {name}\n" not in rules] == []


@pytest.mark.parametrize("unit", sorted((ROOT / "ops/deploy/systemd").glob("*.service")), ids=lambda unit: unit.stem)
def test_units_start_what_is_there(unit: Path) -> None:
    """A unit runs a command of ours with arguments it takes, and leaves it the time to finish that DRAIN gives it."""
    text = unit.read_text("utf-8")
    [line] = re.findall(r"^ExecStart=\S+/antiphon (.+)$", text, re.MULTILINE)
    command, words = command_of(line.replace("%j", "stt").split())
    with command.make_context("antiphon", words):
        pass
    [seconds] = re.findall(r"^TimeoutStopSec=(\d+)$", text, re.MULTILINE)
    assert int(seconds) > Settings.model_fields["drain"].default


@pytest.mark.parametrize("proxy", sorted((ROOT / "ops/deploy/proxy").iterdir()), ids=lambda proxy: proxy.name)
def test_proxies_lead_where_we_listen(proxy: Path) -> None:
    """Calls go to the gateway's port, all else to the API's."""
    fields, text = Settings.model_fields, proxy.read_text("utf-8")
    ports = {int(port) for port in re.findall(r"127\.0\.0\.1:(\d+)", text)}
    assert ports == {fields["gateway_port"].default, fields["api_port"].default}
    assert {WEBSOCKET, LISTEN} <= set(re.findall(r"/\w+", text))


def test_what_was_never_run_is_told_in_one_place_and_marked_where_it_is_described() -> None:
    """Who follows a page is told by that page that they are the first to, and led to what was checked instead."""
    [told] = re.findall(
        r"^## Never run here\n(.+?)(?=^## |\Z)", (ROOT / "docs/architecture.md").read_text("utf-8"), re.M | re.S
    )
    for what in ("Docker", "systemd", "CUDA", "error tracker", "LiveKit", "Safari"):
        assert f"\n| {what}" in told or f"\n| the {what}" in told, what
    for page in ("README.md", "docs/operating/systemd.md", "docs/operating/logs.md", "docs/livekit.md"):
        assert "architecture.md#never-run-here" in (ROOT / page).read_text("utf-8"), page
    for file in ("compose.yml", "compose.gpu.yml"):
        assert "Never run here" in (ROOT / file).read_text("utf-8"), file


def test_readme_leads_to_all_of_them() -> None:
    """No page is found by its address only."""
    readme = (ROOT / "README.md").read_text("utf-8")
    assert [page.name for page in PAGES if str(page.relative_to(ROOT)) not in readme] == []
