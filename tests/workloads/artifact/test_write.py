"""Where an artifact may be begun, and what is used again of one that was interrupted."""

from pathlib import Path

import pytest

from tests.workloads.artifact.test_read import RECORD, SETTINGS, small_artifact, write_blocks
from workloads.artifact.read import Settings
from workloads.artifact.write import start_artifact
from workloads.support.errors import InputError


def test_start_artifact_finished_needs_overwrite(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="--overwrite"):
        start_artifact(small_artifact(tmp_path), SETTINGS, resume=False, overwrite=False)


def test_start_artifact_foreign_directory_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("x")
    with pytest.raises(InputError, match="left alone"):
        start_artifact(tmp_path / "mine", SETTINGS, resume=False, overwrite=True)


def test_start_artifact_interrupted_needs_a_word(tmp_path: Path) -> None:
    write_blocks(tmp_path / "a", blocks=1)
    with pytest.raises(InputError, match="--resume"):
        start_artifact(tmp_path / "a", SETTINGS, resume=False, overwrite=False)


def test_start_artifact_interrupted_before_its_first_block_is_in_nobodys_way(
    tmp_path: Path,
) -> None:
    write_blocks(tmp_path / "a", blocks=0)
    assert write_blocks(tmp_path / "a", blocks=1).blocks[0].projections == (RECORD,)


def test_start_artifact_resume_keeps_intact_blocks_only(tmp_path: Path) -> None:
    writer = write_blocks(tmp_path / "a", blocks=3)
    (writer.partial / "blocks" / "001.safetensors").write_bytes(b"torn")
    resumed = start_artifact(tmp_path / "a", SETTINGS, resume=True, overwrite=False)
    assert [block.file for block in resumed.blocks] == ["blocks/000.safetensors"]


def test_start_artifact_resume_other_settings_says_which(tmp_path: Path) -> None:
    write_blocks(tmp_path / "a", blocks=1)
    other = Settings(SETTINGS.base_model, {"name": "sslc"}, SETTINGS.calibration, "F32")
    with pytest.raises(InputError, match="another method"):
        start_artifact(tmp_path / "a", other, resume=True, overwrite=False)
