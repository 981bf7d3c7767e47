"""Files that somebody names are there when they are whole."""

import os
import stat
from pathlib import Path

import pytest

from schemas.errors import AntiphonError, ExportError
from schemas.process.whole_file import whole_file


def write(file: Path, text: str = "new") -> None:
    with whole_file(file, ExportError) as part:
        part.write_text(text)


def break_off(file: Path) -> None:
    with whole_file(file, ExportError) as part:
        part.write_text("half")
        raise AntiphonError("that was it")


def test_it_is_there_when_it_is_whole(tmp_path: Path) -> None:
    """Until then what was there before is; and nothing lies beside it afterwards."""
    file = tmp_path / "call.zip"
    file.write_text("old")
    with whole_file(file, ExportError) as part:
        part.write_text("new")
        assert file.read_text() == "old"
    assert file.read_text() == "new"
    with pytest.raises(AntiphonError, match="that was it"):
        break_off(file)
    assert file.read_text() == "new"
    assert list(tmp_path.iterdir()) == [file]


def test_what_is_no_file_stays(tmp_path: Path) -> None:
    """A device, a pipe, a folder, the root: another name is asked for, before anything was done."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    (tmp_path / "link").symlink_to(pipe)
    for name, why in (
        ("pipe", "it is no file"),
        ("link", "it is no file"),
        ("", "Is a directory"),
        ("/", "Is a directory"),
    ):
        with pytest.raises(ExportError, match=rf"cannot be written \({why}\); give another file"):
            write(tmp_path / name)
    assert stat.S_ISFIFO(pipe.stat().st_mode)


def test_a_link_leads_to_what_is_written(tmp_path: Path) -> None:
    """And stays one."""
    (tmp_path / "link").symlink_to(tmp_path / "call.zip")
    write(tmp_path / "link")
    assert (tmp_path / "call.zip").read_text() == "new"
    assert (tmp_path / "link").is_symlink()


@pytest.mark.parametrize("name", ["none/call.zip", "file/call.zip", "x" * 254])
def test_where_nothing_can_be_written_is_a_sentence(tmp_path: Path, name: str) -> None:
    """Whatever is wrong with it."""
    (tmp_path / "file").touch()
    with pytest.raises(ExportError, match=r"cannot be written \([A-Z][\w ]+\); give another file"):
        write(tmp_path / name)
