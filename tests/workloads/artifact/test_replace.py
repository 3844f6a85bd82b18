"""Replacing an artifact: what is not ours stays, wherever it stands."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.workloads.artifact.test_read import RECORD, SETTINGS, _tensors, small_artifact
from workloads.artifact import replace
from workloads.artifact.read import open_artifact
from workloads.artifact.write import PROGRESS, rename_into_place, start_artifact
from workloads.support.errors import InputError, InputWarning
from workloads.support.working import MARKER


def _names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def artifact(tmp_path: Path) -> Path:
    return small_artifact(tmp_path)


def _overwrite(target: Path) -> None:
    writer = start_artifact(target, SETTINGS, resume=False, overwrite=True)
    writer.write_block((RECORD,), {RECORD.name: _tensors(7)})
    writer.finish({"norm": np.zeros(2, dtype=np.float32)}, {})


def _tree(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def _users_files(artifact: Path) -> dict[str, bytes]:
    """Beside and inside our files, as people leave them."""
    made = {
        "notes.txt": b"mine",
        "results/log.json": b'{"loss": 1}',
        "results/plots/a.png": b"png",
        "blocks/mine.safetensors": b"x",
        ".hidden": b"h",
    }
    for name, data in made.items():
        (artifact / name).parent.mkdir(parents=True, exist_ok=True)
        (artifact / name).write_bytes(data)
    return made


def test_overwrite_keeps_the_users_files_and_removes_ours(artifact: Path) -> None:
    kept = _users_files(artifact)
    (artifact / "link").symlink_to(artifact / "notes.txt")
    result = artifact / "results" / "perplexity-x.json"
    result.write_text(json.dumps({"format": "sslc-result"}))
    _overwrite(artifact)
    tree = _tree(artifact)
    assert {name: tree.pop(name) for name in kept} == kept
    assert tree.pop("link") == b"mine"
    assert tree.keys() == {"manifest.json", "rest.safetensors", "blocks/000.safetensors"}
    assert len(open_artifact(artifact).blocks) == 1
    assert _names(artifact.parent) == ["a", "config.json"]


def test_overwrite_a_users_file_with_a_new_files_name_is_kept_beside(artifact: Path) -> None:
    """The user's own block 1 was never the old manifest's; the new artifact has its own."""
    (artifact / "blocks" / "002.safetensors").write_bytes(b"mine")
    writer = start_artifact(artifact, SETTINGS, resume=False, overwrite=True)
    for index in range(3):
        writer.write_block((RECORD,), {RECORD.name: _tensors(index)})
    with pytest.warns(InputWarning, match=r"a\.replaced-[0-9a-f]+ keeps files"):
        writer.finish({}, {})
    [beside] = artifact.parent.glob("a.replaced-*")
    assert _tree(beside) == {"blocks/002.safetensors": b"mine"}
    _overwrite(artifact)
    assert _tree(beside) == {"blocks/002.safetensors": b"mine"}


@pytest.mark.parametrize("name", ["a.partial", "a.old", "a.replaced-1", "a.training"])
def test_finish_directories_beside_that_are_not_ours_stay(artifact: Path, name: str) -> None:
    beside = artifact.parent / name
    (beside / "blocks").mkdir(parents=True)
    (beside / "thesis.tex").write_text("x")
    if name == "a.partial":
        for flags in ({"resume": True, "overwrite": False}, {"resume": False, "overwrite": True}):
            with pytest.raises(InputError, match=r"a\.partial .*was not made by sslc"):
                start_artifact(artifact, SETTINGS, resume=flags["resume"], overwrite=True)
    else:
        _overwrite(artifact)
    assert _tree(beside) == {"thesis.tex": b"x"}


def test_rename_into_place_a_finished_artifact_of_the_users_is_not_taken(artifact: Path) -> None:
    """``mv a a.partial`` before a rerun must not bring it back as ``a``."""
    artifact.rename(artifact.parent / "a.partial")
    with pytest.raises(InputError, match="was not made by sslc"):
        rename_into_place(artifact)
    assert not artifact.exists()
    open_artifact(artifact.parent / "a.partial").verify()


def test_overwrite_through_a_link_writes_where_it_points(artifact: Path, tmp_path: Path) -> None:
    link = tmp_path / "elsewhere" / "link"
    link.parent.mkdir()
    link.symlink_to(artifact)
    _overwrite(link)
    assert link.is_symlink()
    assert len(open_artifact(artifact).blocks) == 1
    assert _names(link.parent) == ["link"]


def test_start_artifact_another_programs_manifest_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "manifest.json").write_text('{"name": "a browser extension"}')
    with pytest.raises(InputError, match="is not an artifact and is not empty"):
        start_artifact(tmp_path / "a", SETTINGS, resume=False, overwrite=True)


def test_start_artifact_a_file_in_its_place_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("x")
    with pytest.raises(InputError, match="is left alone"):
        start_artifact(tmp_path / "a", SETTINGS, resume=False, overwrite=True)


class StoppedError(Exception):
    pass


@pytest.mark.parametrize("stop", range(30))
def test_overwrite_stopped_at_any_step_loses_nothing(
    artifact: Path, monkeypatch: pytest.MonkeyPatch, stop: int
) -> None:
    """Every rename, removal and marker in turn is the last thing that happens."""
    kept = _users_files(artifact)
    steps = iter(range(1000))

    def counted(function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **named: Any) -> Any:
            if next(steps) == stop:
                raise StoppedError
            return function(*arguments, **named)

        return call

    writer = start_artifact(artifact, SETTINGS, resume=False, overwrite=True)
    writer.write_block((RECORD,), {RECORD.name: _tensors(7)})
    with monkeypatch.context() as patch:
        for name in ("rename", "unlink", "rmdir", "replace"):
            patch.setattr(Path, name, counted(getattr(Path, name)))
        try:
            writer.finish({}, {})
        except StoppedError:
            found = [_tree(path) for path in artifact.parent.iterdir() if path.is_dir()]
            for name, data in kept.items():
                assert any(tree.get(name) == data for tree in found), name
    if (writer.partial / PROGRESS).exists():
        writer = start_artifact(artifact, SETTINGS, resume=True, overwrite=True)
        writer.finish({}, {})
    rename_into_place(artifact)
    open_artifact(artifact).verify()
    assert len(open_artifact(artifact).blocks) == 1
    tree = _tree(artifact)
    assert {name: tree[name] for name in kept} == kept
    assert not {MARKER, replace.REPLACED, PROGRESS} & tree.keys()
    assert _names(artifact.parent) == ["a", "config.json"]
