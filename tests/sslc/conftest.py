"""Artifacts that tests read and never change, each made once."""

from pathlib import Path

import pytest

from tests.sslc.making import make_artifact
from workloads.artifact.read import Artifact


@pytest.fixture(scope="session")
def small_artifact(llama: Path, tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    """The small Llama by SSLC with its default settings."""
    return make_artifact(llama, tmp_path_factory.mktemp("artifacts") / "sslc")
