"""What measurements are about: content decides, and every part of it."""

import math
from pathlib import Path

import pytest
import torch

from sslc.evaluation.identity import perplexity_result, source_subject, zero_shot_result
from sslc.evaluation.perplexity import Perplexity
from sslc.evaluation.zero_shot import TaskScore, ZeroShotSettings
from sslc.exporting.adapter_export import export_adapter
from sslc.model.opening import open_source
from workloads.artifact.read import Artifact
from workloads.results.kinds import Metric, identity_sha256
from workloads.support.errors import InputError

CPU = torch.device("cpu")


def test_source_subject_adapter_changes_with_either_part(
    small_artifact: Artifact, tmp_path: Path
) -> None:
    export_adapter(small_artifact, tmp_path / "base")
    before = source_subject(open_source(str(tmp_path / "base")))
    assert (before.method, before.masks) == ("base + adapter", "none")
    config = tmp_path / "base" / "adapter" / "adapter_config.json"
    config.write_text(config.read_text() + "\n")
    assert source_subject(open_source(str(tmp_path / "base"))).sha256 != before.sha256


def test_source_subject_of_a_checkpoint_does_not_depend_on_its_folder(
    llama: Path, tmp_path: Path
) -> None:
    (tmp_path / "link").symlink_to(llama)
    first, second = (source_subject(open_source(str(path))) for path in (llama, tmp_path / "link"))
    assert first.sha256 == second.sha256
    assert first.stored_dtype == "F32"


def test_source_subject_of_an_unknown_kind_is_refused() -> None:
    with pytest.raises(TypeError, match="object is not a source"):
        source_subject(object())  # type: ignore[arg-type]


def test_results_of_other_windows_or_limits_are_other_results(small_artifact: Artifact) -> None:
    subject = source_subject(open_source(str(small_artifact.path)))
    measured = Perplexity(9.0, 2.2, 62, 2, 32, 32, 64, "t", "0" * 64)
    other = Perplexity(9.0, 2.2, 62, 2, 32, 16, 64, "t", "0" * 64)
    first, second = (perplexity_result(subject, each, device=CPU) for each in (measured, other))
    assert identity_sha256(first) != identity_sha256(second)
    score = TaskScore("t", "1", 0, 5, 9, (Metric("acc", 0.5, None),))
    few, all_ = (
        zero_shot_result(subject, score, settings=ZeroShotSettings(limit), device=CPU)
        for limit in (5, None)
    )
    assert identity_sha256(few) != identity_sha256(all_)
    assert few.metrics == score.metrics


@pytest.mark.parametrize("mean", [math.inf, math.nan, 800.0])
def test_perplexity_result_that_is_no_number_is_refused(
    small_artifact: Artifact, mean: float
) -> None:
    subject = source_subject(open_source(str(small_artifact.path)))
    measured = Perplexity(math.inf, mean, 31, 1, 32, 32, 0, "a.txt", "ab" * 32)
    with pytest.raises(InputError, match=f"likelihood is {mean:g} nats"):
        perplexity_result(subject, measured, device=CPU)
