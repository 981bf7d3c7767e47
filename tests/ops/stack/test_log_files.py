"""What processes say is kept within bounds, and no line of it is lost."""

import random
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from ops.stack.log_files import OLDER, LogFile, chain
from ops.stack.log_lines import Followed, last_lines
from ops.stack.supervisor import Command, Failed, Supervisor

_SIZE = 2_000


def kept(path: Path) -> bytes:
    return b"".join(file.read_bytes() for file in reversed(chain(path)) if file.exists())


def pieces(text: bytes, dice: random.Random) -> Iterator[bytes]:
    """As they come out of a pipe: of any length, lines cut anywhere."""
    while text:
        length = dice.randint(1, 700)
        yield text[:length]
        text = text[length:]


def test_files_are_put_aside_between_two_lines(tmp_path: Path) -> None:
    """Whatever the pieces, the files together hold the end of what was said, whole lines each, and no more than their bounds."""
    dice = random.Random(7)
    text = b"".join(b"%d %s\n" % (number, b"x" * dice.randint(0, 90)) for number in range(2_000))
    path = tmp_path / "stt-1.log"
    for run in (text[: len(text) // 2], text[len(text) // 2 :]):  # a second start goes on in the same file
        file = LogFile(path, _SIZE)
        for piece in pieces(run, dice):
            file.write(piece)
        file.close()
    files = [one for one in chain(path) if one.exists()]
    assert len(files) == len(list(tmp_path.iterdir())) == OLDER + 1
    assert all(one.stat().st_size < _SIZE + 100 for one in files)
    assert all(one.read_bytes().endswith(b"\n") for one in files)
    assert text.endswith(kept(path))
    assert len(kept(path)) > OLDER * _SIZE


def test_a_folder_that_takes_nothing_stops_nobody(tmp_path: Path) -> None:
    """Where nothing can be written, what is said is dropped, and kept again once it can be."""
    file = LogFile(tmp_path / "logs" / "api.log")
    file.write(b"lost\n")
    (tmp_path / "logs").mkdir()
    file.write(b"kept\n")
    file.close()
    assert kept(tmp_path / "logs" / "api.log") == b"kept\n"


def test_who_follows_misses_no_line_at_a_rotation(tmp_path: Path) -> None:
    """Whoever reads on gets each line once, in order, however many files were put aside between two looks."""
    dice = random.Random(3)
    path = tmp_path / "gateway-1.log"
    file = LogFile(path, _SIZE)
    file.write(b"before\nbegun, and ")
    with closing(Followed(tmp_path, None)) as followed:
        assert [line.text for line in last_lines(tmp_path, ["gateway-1"], 5, followed.beginnings)] == ["before"]
        file.write(b"ended\n")
        said, read = ["begun, and ended"], []
        for burst in range(60):
            for number in range(dice.choice((0, 3, 40, 150, 700))):
                said.append(f"{burst}.{number}")
                file.write(said[-1].encode() + b"\n")
            read += [line.text for line in followed.new_lines()]
        later = LogFile(tmp_path / "gateway-2.log")
        later.write(b"here I am\n")
        read += [line.text for line in followed.new_lines()]
    file.close()
    later.close()
    assert read == [*said, "here I am"]


def test_the_last_lines_of_all_are_in_order_of_time(tmp_path: Path) -> None:
    """Lines of several processes stand in the order of the times they tell, text, JSON or Valkey's; what tells none stays behind
    the line before it; older files are read where the newest has too few."""
    (tmp_path / "stt-1.log.1").write_text("2026-11-27 08:00:01.500 INFO  first\n")
    (tmp_path / "stt-1.log").write_text("2026-11-27 08:00:03.000 INFO  third\n    and more of it\n")
    (tmp_path / "valkey.log").write_text(
        "7:M 27 Nov 2026 08:00:02.000 * second\n7:M 27 Nov 2026 08:00:04.000 * fourth\n"
    )
    names = ["stt-1", "valkey"]
    told = [line.text.split()[-1] for line in last_lines(tmp_path, names, 3, {})]
    assert told == ["first", "second", "third", "it", "fourth"]
    assert [line.text.split()[-1] for line in last_lines(tmp_path, names, 1, {})] == ["it", "fourth"]
    assert len(list(last_lines(tmp_path, names, None, {}))) == 5
    assert list(last_lines(tmp_path, names, 0, {})) == []


async def test_the_last_words_of_a_process_are_heard(tmp_path: Path) -> None:
    """All that a process wrote before it died is in its files, and its last sentence is why it could not start."""
    lines = 20_000
    talk = f"for n in range({lines}): print(n, 'x' * 60)\nprint(flush=True)\nraise SystemExit('no model at /nowhere')"
    keeper = Supervisor(tmp_path, {})
    try:
        with pytest.raises(Failed, match="no model at /nowhere"):
            await keeper.start([Command("talker", [sys.executable, "-c", talk], ready="http://127.0.0.1:1/")])
    finally:
        await keeper.stop()
    said = kept(tmp_path / "talker.log").decode().splitlines()
    assert [line.split()[0] for line in said[:lines]] == [str(number) for number in range(lines)]
