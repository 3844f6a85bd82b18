"""What results of an artifact are about: the same content is the same, wherever it lies."""

import dataclasses
from pathlib import Path

from workloads.artifact.read import Artifact, Settings
from workloads.artifact.record import BlockRecord, ProjectionRecord
from workloads.artifact.storage import Storage
from workloads.results.subject import subject_of

_SETTINGS = Settings(
    base_model={"name": "tiny", "architecture": "llama", "sha256": "0" * 64},
    method={"name": "sslc", "settings": {"kept_fraction": 0.5, "iterations": 40}},
    calibration={
        "source": "embedded", "sha256": "1" * 64, "windows": 16, "window_tokens": 512, "seed": 0,
        "split": "calibration",
    },
    dtype="BF16",
)  # fmt: skip
_RECORD = ProjectionRecord("up_proj", "FFN", 10, 10, 1, 0.5, 30, False, 0.1, Storage.plain("BF16"))
_ARTIFACT = Artifact(
    Path("here"),
    _SETTINGS,
    (BlockRecord("blocks/000.safetensors", "2" * 64, (_RECORD,)),),
    (),
    {"blocks/000.safetensors": "2" * 64},
)


def test_subject_of_artifact_says_what_made_it() -> None:
    subject = subject_of(_ARTIFACT)
    assert (subject.model, subject.method, subject.kept_fraction) == ("tiny", "sslc", 0.5)
    assert (subject.masks, subject.stored_dtype) == ("real", "BF16")
    assert subject.settings == {
        "kept_fraction": 0.5,
        "iterations": 40,
        "calibration": {
            "source": "embedded", "sha256": "1" * 64, "windows": 16, "window_tokens": 512,
            "seed": 0,
        },
    }  # fmt: skip


def test_subject_of_artifact_elsewhere_is_the_same_and_of_other_bytes_is_not() -> None:
    moved = dataclasses.replace(_ARTIFACT, path=Path("/there"))
    assert subject_of(moved) == subject_of(_ARTIFACT)
    other = dataclasses.replace(_ARTIFACT, sha256={"blocks/000.safetensors": "3" * 64})
    assert subject_of(other).sha256 != subject_of(_ARTIFACT).sha256


def test_subject_of_artifact_with_a_choice_counts_what_is_kept() -> None:
    chosen = dataclasses.replace(_SETTINGS, choice={"exclude": ["o_proj"]})
    subject = subject_of(dataclasses.replace(_ARTIFACT, settings=chosen))
    assert subject.kept_fraction == (30 + 20) / 100
    assert subject.settings["choice"] == {"exclude": ["o_proj"]}
    assert subject.sha256 != subject_of(_ARTIFACT).sha256


def test_subject_names_the_formats_that_lie_in_the_files() -> None:
    def stored(*pairs: tuple[Storage, int]) -> str | None:
        records = tuple(dataclasses.replace(_RECORD, storage=s, rank=rank) for s, rank in pairs)
        block = dataclasses.replace(_ARTIFACT.blocks[0], projections=records)
        return subject_of(dataclasses.replace(_ARTIFACT, blocks=(block,))).stored_dtype

    whole, mixed = Storage("I8", "I8", 128), Storage("I4", "I8", 128)
    assert stored((whole, 1), (whole, 2)) == "I8"
    assert stored((mixed, 1)) == "I4/I8"
    assert stored((mixed, 0)) == "I4"
    assert stored((Storage.plain("BF16"), 0), (whole, 1)) == "BF16, I8"
