"""What a name means: an artifact, a base with its adapter, or a dense checkpoint."""

from pathlib import Path

import pytest
import torch

from sslc.exporting.adapter_export import export_adapter
from sslc.model.adapter import AdaptedWeights
from sslc.model.checkpoint import Checkpoint
from sslc.model.opening import open_source
from sslc.model.weights import ArtifactWeights
from workloads.artifact.read import Artifact
from workloads.support.errors import InputError


def test_open_source_artifact_adapter_and_checkpoint_hold_the_same_names(
    llama: Path, small_artifact: Artifact, tmp_path: Path
) -> None:
    export_adapter(small_artifact, tmp_path / "base")
    paths = (llama, small_artifact.path, tmp_path / "base")
    sources = [open_source(str(path)) for path in paths]
    assert [type(source) for source in sources] == [Checkpoint, ArtifactWeights, AdaptedWeights]
    assert len({source.names() for source in sources}) == 1
    name = "model.layers.1.mlp.up_proj.weight"
    _, stored, adapted = (source.tensor(name) for source in sources)
    assert torch.allclose(stored, adapted, atol=1e-6)


def test_open_source_nothing_there_is_refused() -> None:
    with pytest.raises(InputError, match="no such directory"):
        open_source("nowhere")
