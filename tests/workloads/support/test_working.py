import re
import subprocess
import sys
from pathlib import Path

import pytest

from workloads.support.errors import InputError
from workloads.support.working import (
    MARKER,
    check_working,
    check_writable,
    fresh_name,
    is_working,
    mark,
    one_writer,
    remove_working,
    resolved,
    unmark,
)


def _names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_remove_working_takes_ours_and_the_empty_and_nothing_else(tmp_path: Path) -> None:
    mark(tmp_path / "ours")
    (tmp_path / "ours" / "x").write_text("x")
    (tmp_path / "empty").mkdir()
    for name in ("ours", "empty", "none"):
        remove_working(tmp_path / name)
    assert _names(tmp_path) == []
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs" / MARKER).write_text("not our words")
    (tmp_path / "file").write_text("")
    mark(tmp_path / "real")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    for name in ("theirs", "file", "link"):
        with pytest.raises(InputError, match="was not made by sslc"):
            remove_working(tmp_path / name)
    assert _names(tmp_path) == ["file", "link", "real", "theirs"]
    unmark(tmp_path / "real")
    assert not is_working(tmp_path / "real")
    check_working(tmp_path / "real")


def test_fresh_name_is_another_one_every_time(tmp_path: Path) -> None:
    names = {fresh_name(tmp_path / "a", "replaced") for _ in range(100)}
    assert len(names) == 100
    assert all(name.name.startswith("a.replaced-") for name in names)


def test_one_writer_a_second_one_is_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "a")
    with one_writer(tmp_path / "a"):
        for same in ("a", "link", "x/../a"):
            with pytest.raises(InputError, match="another run is writing there"):
                one_writer(tmp_path / same).__enter__()
        with one_writer(tmp_path / "b"):
            pass
    with one_writer(tmp_path / "a"):
        pass
    assert _names(tmp_path) == ["link"]


def test_one_writer_a_killed_one_is_in_nobodys_way(tmp_path: Path) -> None:
    code = (
        "import os, sys; from pathlib import Path; from workloads.support.working import *\n"
        "with one_writer(Path(sys.argv[1])): os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", code, tmp_path / "a"], check=False)
    assert _names(tmp_path) == [".a.lock"]
    with one_writer(tmp_path / "a"):
        pass
    assert _names(tmp_path) == []


REFUSED = {
    "file/x": "Not a directory",
    "loop": "Too many levels of symbolic links",
    "loop/x": "Too many levels of symbolic links",
    "n" * 300: "File name too long",
    "/proc/x": "No such file or directory",
    "/proc/self/x/y": "No such file or directory",
    "/dev/null/x": "Not a directory",
}


@pytest.mark.parametrize("name", REFUSED)
def test_check_writable_and_one_writer_say_what_the_system_says(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "loop").symlink_to("loop")
    before = _names(tmp_path)
    said = rf"{re.escape(name)}: cannot be written to \({REFUSED[name]}\)"
    with pytest.raises(InputError, match=said):
        check_writable(tmp_path / name)
    with pytest.raises(InputError, match=said), one_writer(tmp_path / name):
        pass
    assert _names(tmp_path) == before


def test_check_writable_leaves_nothing_and_makes_nothing(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("not-there")
    for name in (".", "a/b/c", "link", "link/x"):
        check_writable(tmp_path / name)
    assert _names(tmp_path) == ["link"]


def test_one_writer_follows_no_link_in_place_of_its_lock(tmp_path: Path) -> None:
    (tmp_path / ".a.lock").symlink_to("elsewhere")
    with pytest.raises(InputError, match="cannot be written to"), one_writer(tmp_path / "a"):
        pass
    assert _names(tmp_path) == [".a.lock"]


def test_resolved_refuses_the_root() -> None:
    with pytest.raises(InputError, match="the root of all files"):
        resolved(Path("/"))


def test_resolved_follows_links_and_refuses_what_is_no_name(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("not-there")
    assert resolved(tmp_path / "link") == tmp_path.resolve() / "not-there"
    with pytest.raises(InputError, match="not a file name"):
        resolved(Path("a\0b"))
