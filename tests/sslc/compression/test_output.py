"""What may happen to what stands in the output directory."""

import dataclasses
from pathlib import Path

import pytest

from sslc.compression.output import Output, finished_artifact, stored_dtype
from sslc.model.opening import open_checkpoint
from tests.sslc.model.checkpoints import copied, edit
from workloads.artifact.read import Artifact
from workloads.support.errors import InputError


def test_stored_dtype_auto_is_that_of_the_projections(llama: Path, tmp_path: Path) -> None:
    checkpoint = open_checkpoint(str(llama))
    assert stored_dtype(checkpoint, "auto") == "F32"
    model = copied(llama, tmp_path)
    edit(model, lambda t: t.update({n: v.bfloat16() for n, v in t.items() if "proj" in n}))
    assert stored_dtype(open_checkpoint(str(model)), "auto") == "BF16"
    with pytest.raises(InputError, match="dtype int8 cannot be stored; give one of BF16"):
        stored_dtype(checkpoint, "int8")


def test_finished_artifact_is_given_back_only_under_its_settings(
    small_artifact: Artifact, tmp_path: Path
) -> None:
    settings, other = small_artifact.settings, dataclasses.replace(
        small_artifact.settings, dtype="BF16"
    )  # fmt: skip
    assert finished_artifact(Output(tmp_path / "none"), settings) is None
    assert finished_artifact(Output(small_artifact.path), settings) == small_artifact
    with pytest.raises(InputError, match="made with other settings; --overwrite replaces it"):
        finished_artifact(Output(small_artifact.path), other)
    assert finished_artifact(Output(small_artifact.path, overwrite=True), other) is None
