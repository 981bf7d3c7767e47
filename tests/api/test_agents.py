"""Agents' files, read and written by HTTP."""

import errno
import os
from pathlib import Path
from typing import Any

import httpx2
import pytest

from api import agent_files, shared_look
from api.house import House
from schemas.access.new_key import new_key
from schemas.config.agents import Agents
from schemas.config.settings import Settings
from schemas.drafts import LARGEST
from tests.api.listening import listening

GOOD = 'greeting = "Hello."\n'
WRONG = 'greeting = "Hello."\n[turn_taking]\ncommit_max = "soon"\n'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "agents").mkdir()
    (tmp_path / "agents" / "default.toml").write_text(GOOD)
    (tmp_path / "agents" / "shop.toml").write_text('name = "Shop"\n')
    return tmp_path / "agents"


@pytest.fixture
def settings(folder: Path) -> Settings:
    return Settings(_env_file=None, agents=folder)


async def save(client: httpx2.AsyncClient, name: str, toml: str, etag: str | None = None) -> httpx2.Response:
    headers = {"If-Match": etag} if etag else {}
    return await client.put(f"/v1/agents/{name}", json={"toml": toml}, headers=headers)


def files(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


# ── reading ──────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_agents_are_listed_with_what_is_wrong(client: httpx2.AsyncClient, folder: Path) -> None:
    """Their files, which one those get who ask for none, and the line that can't be understood."""
    (folder / "shop.toml").write_text(WRONG)
    rows = {row["name"]: row for row in (await client.get("/v1/agents")).json()["agents"]}
    assert rows["default"] == {
        "name": "default", "file": "default.toml", "is_default": True, "problem": "", "locked": "",
        "etag": (await client.get("/v1/agents/default")).json()["etag"],
    }  # fmt: skip
    assert rows["shop"]["problem"].startswith('line 3: turn_taking.commit_max = "soon"; expected a number')
    assert not rows["shop"]["is_default"]


async def test_callers_see_the_names_they_may_choose(client: httpx2.AsyncClient, house: House, folder: Path) -> None:
    """No files, no problems; and they change and read nothing."""
    (folder / "shop.toml").write_text(WRONG)
    key, shown = new_key("ann", "caller", await house.bus.now())
    await house.bus.add_key(key)
    headers = {"Authorization": f"Bearer {shown}"}
    assert (await client.get("/v1/agents", headers=headers)).json()["agents"] == [
        {"name": "default", "file": None, "is_default": True, "problem": "", "locked": "", "etag": ""},
        {"name": "shop", "file": None, "is_default": False, "problem": "", "locked": "", "etag": ""},
    ]
    text = {"toml": GOOD}
    refused = [
        await client.get("/v1/agents/shop", headers=headers),
        await client.put("/v1/agents/shop", json=text, headers=headers),
        await client.post("/v1/agents/validate", json=text, headers=headers),
        await client.post("/v1/agents/drafts", json=text, headers=headers),
        await client.post("/v1/agents/reload", headers=headers),
    ]
    assert [answer.status_code for answer in refused] == [403] * 5


async def test_an_agent_is_read_whole(client: httpx2.AsyncClient) -> None:
    """Its text as it stands there, what it comes to with every default, and an etag."""
    answer = await client.get("/v1/agents/shop")
    body = answer.json()
    assert (body["toml"], body["problem"], body["spec"]["name"]) == ('name = "Shop"\n', "", "Shop")
    assert body["spec"]["turn_taking"]["commit_max"] == 1.4
    assert answer.headers["etag"] == body["etag"]


@pytest.mark.parametrize(
    "name", ["none", "..", "..%2f..%2fetc%2fpasswd", "shop.toml", "%00", "x" * 256, "default%2f..%2fshop", ".shop"]
)
async def test_names_are_no_paths(client: httpx2.AsyncClient, folder: Path, name: str) -> None:
    """What is no agent's name is none, and nothing outside the folder is read."""
    (folder.parent / "secret.toml").write_text(GOOD)
    assert (await client.get(f"/v1/agents/{name}")).status_code in (404, 405)
    assert (await client.get("/v1/agents/%2e%2e%2fsecret")).status_code == 404


async def test_a_file_that_cannot_be_read_is_said_to_be(client: httpx2.AsyncClient, folder: Path) -> None:
    """It is listed, with why."""
    (folder / "bytes.toml").write_bytes(b'greeting = "\xff"')
    rows = {row["name"]: row for row in (await client.post("/v1/agents/reload")).json()["agents"]}
    assert rows["bytes"]["problem"] == "bytes.toml cannot be read (byte 12 is not UTF-8)"


# ── validating ───────────────────────────────────────────────────────────────────────────────────────────────────────


async def validated(client: httpx2.AsyncClient, toml: str) -> Any:
    answer = await client.post("/v1/agents/validate", json={"toml": toml})
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_every_problem_is_said_with_its_line(client: httpx2.AsyncClient) -> None:
    """In their order, as the gateway would say them; a good text comes back as an agent."""
    found = await validated(client, 'greting = "Hi."\n\n[voice]\nspeed = 9\n')
    assert [problem["line"] for problem in found["problems"]] == [1, 4]
    assert 'did you mean "greeting"?' in found["problems"][0]["message"]
    assert found["spec"] is None
    good = await validated(client, GOOD)
    assert (good["problems"], good["spec"]["greeting"]) == ([], "Hello.")


@pytest.mark.parametrize(
    ("toml", "line"),
    [
        ("x = 1\ny = ", 2),
        ("[a]\n[a]", 2),
        ("a = " + "[" * 5000, None),
        ("a = " + "9" * 5000, None),
        ('a = "\x00"', 1),
        ("a = {" * 2000, None),
    ],
)
async def test_what_is_no_toml_is_said(client: httpx2.AsyncClient, toml: str, line: int | None) -> None:
    """However deep, long or broken: one sentence, with the line where that can be told."""
    [problem] = (await validated(client, toml))["problems"]
    assert problem["message"].startswith("not TOML: ")
    assert problem["line"] == line


async def test_a_text_made_to_take_long_is_answered(client: httpx2.AsyncClient) -> None:
    """Its line is not looked for without end."""
    text = "".join(f"# speed {number}\n" for number in range(4000)) + "[voice]\nspeed = 9\n"
    [problem] = (await validated(client, text[:LARGEST]))["problems"]
    assert "voice.speed = 9" in problem["message"]


async def test_a_text_too_long_is_refused(client: httpx2.AsyncClient) -> None:
    """Before anybody reads it."""
    answer = await client.post("/v1/agents/validate", json={"toml": "#" * (LARGEST + 1)})
    assert answer.status_code == 422


# ── watching ─────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_who_watches_sees_files_change(
    client: httpx2.AsyncClient, house: House, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever changes them, by the API or in the folder itself: told as they are listed; an etag says whose text is another."""
    monkeypatch.setattr(shared_look, "EVERY", 0.01)
    async with listening(house, "/v1/agents/all/stream") as reader:
        first = (await reader.next("agents")).data["agents"]
        assert first == (await client.get("/v1/agents")).json()["agents"]
        etag = {row["name"]: row["etag"] for row in first}
        await save(client, "shop", GOOD, etag["shop"])
        saved = {row["name"]: row["etag"] for row in (await reader.next("agents")).data["agents"]}
        assert saved == {"default": etag["default"], "shop": agent_files.etag_of(GOOD)}
        (folder / "bank.toml").write_text(WRONG)
        while (rows := (await reader.next("agents")).data["agents"])[0]["problem"] == "":  # it may be seen half written
            pass
        assert [row["name"] for row in rows] == ["bank", "default", "shop"]
        (folder / "bank.toml").unlink()
        assert [row["name"] for row in (await reader.next("agents")).data["agents"]] == ["default", "shop"]


async def test_files_that_stay_as_they_are_are_not_read_again(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """However often they are looked at, by however many; who watches hears that somebody is there, and nothing else."""
    monkeypatch.setattr(shared_look, "EVERY", 0.0)
    monkeypatch.setattr(shared_look, "HEARTBEAT", 0.0)
    reads = 0
    real = agent_files.read_all

    def counting(agents: Agents) -> agent_files.Folder:
        nonlocal reads
        reads += 1
        return real(agents)

    monkeypatch.setattr(agent_files, "read_all", counting)
    async with (
        listening(house, "/v1/agents/all/stream") as one,
        listening(house, "/v1/agents/all/stream") as two,
    ):
        for reader in (one, two):
            assert [(await reader.next("agents", "")).kind for _ in range(4)] == [
                "",
                "agents",
                "",
                "",
            ]  # "": retry, comments
    assert reads == 1


# ── saving ───────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_what_was_read_is_saved_changed(client: httpx2.AsyncClient, house: House, folder: Path) -> None:
    """With its etag; who reads that file has it at the next call, the answer says who has not, and nothing else lies there."""
    gateways = Agents(folder)
    assert gateways.find("shop").greeting == ""
    etag = (await client.get("/v1/agents/shop")).json()["etag"]
    saved = await save(client, "shop", GOOD, etag)
    assert (saved.status_code, saved.json()["toml"]) == (200, GOOD)
    assert saved.headers["etag"] == saved.json()["etag"] != etag
    assert gateways.find("shop").greeting == "Hello."
    assert str(folder / "shop.toml") in saved.json()["reach"]
    assert "AGENTS" in saved.json()["reach"]
    assert files(folder) == {"default.toml", "shop.toml"}


async def test_nobody_overwrites_what_they_have_not_read(client: httpx2.AsyncClient, folder: Path) -> None:
    """Without the etag 428, with an old one 412, and the file is as it was."""
    etag = (await client.get("/v1/agents/shop")).json()["etag"]
    (folder / "shop.toml").write_text('name = "Other"\n')
    assert (await save(client, "shop", GOOD)).status_code == 428
    refused = await save(client, "shop", GOOD, etag)
    assert (refused.status_code, refused.json()["code"]) == (412, "changed")
    assert (folder / "shop.toml").read_text() == 'name = "Other"\n'
    (folder / "shop.toml").unlink()
    assert (await save(client, "shop", GOOD, etag)).status_code == 412


async def test_a_new_agent_gets_a_file(client: httpx2.AsyncClient, folder: Path) -> None:
    """In the folder, and it can be asked for at once."""
    assert (await save(client, "desk", GOOD)).status_code == 200
    assert (folder / "desk.toml").read_text() == GOOD
    assert (await client.get("/v1/agents/desk")).json()["spec"]["name"] == "desk"


@pytest.mark.parametrize("name", ["..%2fx", "a%2fb", ".hidden", "draft-x", "x" * 65, "a%00b", "ä", "a b", "..", "a.b"])
async def test_nothing_is_saved_elsewhere(client: httpx2.AsyncClient, folder: Path, name: str) -> None:
    """Names that could lead out of the folder, or are no names, are refused; nothing is written anywhere."""
    before = files(folder.parent)
    assert (await save(client, name, GOOD)).status_code in (404, 405, 422)
    assert (files(folder), files(folder.parent)) == ({"default.toml", "shop.toml"}, before)


async def test_a_link_is_replaced_not_followed(client: httpx2.AsyncClient, folder: Path) -> None:
    """What it leads to stays as it is."""
    outside = folder.parent / "outside.toml"
    outside.write_text(GOOD)
    (folder / "link.toml").symlink_to(outside)
    etag = (await client.get("/v1/agents/link")).json()["etag"]
    assert (await save(client, "link", 'greeting = "Mine."\n', etag)).status_code == 200
    assert outside.read_text() == GOOD


async def test_a_wrong_agent_is_not_saved(client: httpx2.AsyncClient, folder: Path) -> None:
    """422 with each line that is wrong; the file is as it was."""
    etag = (await client.get("/v1/agents/shop")).json()["etag"]
    refused = await save(client, "shop", WRONG, etag)
    assert (refused.status_code, refused.json()["code"]) == (422, "agent")
    assert "line 3" in refused.json()["detail"]
    assert (folder / "shop.toml").read_text() == 'name = "Shop"\n'


@pytest.mark.parametrize(
    ("number", "status", "code"),
    [(errno.EROFS, 409, "read_only"), (errno.EACCES, 409, "read_only"), (errno.ENOSPC, 507, "disk_full")],
)
async def test_a_folder_that_cannot_be_written_is_one_clear_error(
    client: httpx2.AsyncClient, folder: Path, monkeypatch: pytest.MonkeyPatch, number: int, status: int, code: str
) -> None:
    """What is wrong and which setting names the place; the file is as it was, and nothing lies beside it."""

    def refuse(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    etag = (await client.get("/v1/agents/shop")).json()["etag"]
    monkeypatch.setattr(agent_files.os, "replace", refuse)
    refused = await save(client, "shop", GOOD, etag)
    assert (refused.status_code, refused.json()["code"]) == (status, code)
    assert str(folder) in refused.json()["detail"]
    assert (folder / "shop.toml").read_text() == 'name = "Shop"\n'
    assert files(folder) == {"default.toml", "shop.toml"}


@pytest.mark.parametrize("settings", [Settings(_env_file=None)])
async def test_the_built_in_agent_is_not_saved(client: httpx2.AsyncClient) -> None:
    """Without AGENTS it can be read and tried, and what to set is said."""
    built_in = (await client.get("/v1/agents/default")).json()
    assert (built_in["spec"]["name"], built_in["problem"]) == ("default", "")
    refused = await save(client, "default", GOOD, built_in["etag"])
    assert (refused.status_code, refused.json()["code"]) == (409, "built_in")
    assert refused.json()["detail"] == built_in["locked"]
    assert "set it to a folder" in built_in["locked"]


async def test_of_one_file_only_that_is_saved(house: House, client: httpx2.AsyncClient, folder: Path) -> None:
    """Where AGENTS is a file, no other agent can be made."""
    house.agents = Agents(folder / "shop.toml")
    rows = {row["name"]: row for row in (await client.get("/v1/agents")).json()["agents"]}
    assert (rows["shop"]["is_default"], rows["shop"]["locked"]) == (True, "")
    refused = await save(client, "desk", GOOD)
    assert (refused.status_code, refused.json()["code"]) == (409, "one_file")


# ── drafts ───────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_draft_is_kept_for_a_call(client: httpx2.AsyncClient, house: House, folder: Path) -> None:
    """Under a name nobody guesses, for an hour, and in no file."""
    answer = await client.post("/v1/agents/drafts", json={"toml": GOOD})
    name = answer.json()["agent"]
    assert (answer.status_code, answer.json()["expires_in"]) == (201, 3600)
    assert await house.bus.draft(name) == GOOD
    assert files(folder) == {"default.toml", "shop.toml"}


async def test_a_wrong_draft_is_refused(client: httpx2.AsyncClient) -> None:
    """With each line that is wrong."""
    answer = await client.post("/v1/agents/drafts", json={"toml": WRONG})
    assert (answer.status_code, answer.json()["code"]) == (422, "agent")


# ── folders ──────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_an_agent_that_is_a_folder_is_read_and_saved(client: httpx2.AsyncClient, folder: Path) -> None:
    """Its agent.toml is edited, with the instructions beside it in its spec; that these and code are not edited here is told."""
    (folder / "pizza").mkdir()
    (folder / "pizza" / "agent.toml").write_text(GOOD)
    (folder / "pizza" / "instructions.md").write_text("You sell pizza.")
    (folder / "pizza" / "agent.py").write_text("def x(:")
    rows = {row["name"]: row for row in (await client.get("/v1/agents")).json()["agents"]}
    assert (rows["pizza"]["file"], rows["pizza"]["problem"]) == ("pizza/agent.toml", "")
    read = (await client.get("/v1/agents/pizza")).json()
    assert read["spec"]["instructions"] == "You sell pizza."
    assert read["note"].endswith("lie instructions.md, agent.py: they are edited there, not here.")
    saved = await save(client, "pizza", 'greeting = "Ciao."\n', read["etag"])
    assert (saved.status_code, saved.json()["spec"]["instructions"]) == (200, "You sell pizza.")
    assert (folder / "pizza" / "agent.toml").read_text() == 'greeting = "Ciao."\n'
    assert files(folder / "pizza") == {"agent.toml", "instructions.md", "agent.py"}


async def test_what_would_be_wrong_beside_other_files_is_not_saved(client: httpx2.AsyncClient, folder: Path) -> None:
    """Instructions twice, or a value that can't be: told as at a gateway's start, and the file stays as it was."""
    (folder / "pizza").mkdir()
    (folder / "pizza" / "agent.toml").write_text(GOOD)
    (folder / "pizza" / "instructions.md").write_text("You sell pizza.")
    etag = (await client.get("/v1/agents/pizza")).json()["etag"]
    for toml, told in (
        ('instructions = "x"', "instructions.md says them, too"),
        ('greeting = "{{x}}"', "no such value"),
    ):
        answer = await save(client, "pizza", toml, etag)
        assert answer.status_code == 422
        assert told in answer.text
    assert (folder / "pizza" / "agent.toml").read_text() == GOOD
    (folder / "pizza" / "agent.toml").write_text('instructions = "x"')
    assert "keep one of the two" in (await client.get("/v1/agents/pizza")).json()["problem"]
