"""The whole-model pass: what an artifact keeps trained on the dense model's logits.

The places of S stay. The training itself is in ``refinement``.
"""

import dataclasses
from collections.abc import Mapping
from pathlib import Path

import torch

from sslc.calibration.windows import Calibration, calibration_windows, load_calibration
from sslc.compression.rounding import to_stored
from sslc.model.blocks import BlockwiseModel
from sslc.model.checkpoint import Checkpoint
from sslc.model.companions import read_companions
from sslc.model.names import full_name
from sslc.model.weights import to_torch
from sslc.refinement.distillation import distil, teacher_states, trainable_model
from sslc.refinement.stages import LogitDistillation
from sslc.refinement.trainable import TrainableLinear
from workloads.artifact.read import Artifact, Settings
from workloads.artifact.record import CompressedTensors, ProjectionRecord
from workloads.artifact.write import ArtifactWriter
from workloads.support.files import LazyTensors
from workloads.support.progress import Progress


@dataclasses.dataclass(frozen=True)
class WholeModel:
    """A distillation before it is run.

    Attributes:
        teacher: The dense model.
        distillation: How it is trained.
        calibration: Sources of its windows; their number is the distillation's own.
        settings: Of the result.
        device: Where the arithmetic runs; None for the CPU.
        progress: Told after every step.
    """

    teacher: Checkpoint
    distillation: LogitDistillation
    calibration: Calibration
    settings: Settings
    device: torch.device | None
    progress: Progress

    def train(self, artifact: Artifact, writer: ArtifactWriter, work: Path) -> None:
        """Train values of S at their places, U and V, and finish the writer's artifact.

        Args:
            artifact: What is trained. Projections that were left dense stay.
            writer: Of the result, which may hold its first blocks already.
            work: Directory of the training's state.

        Raises:
            InputError: The training diverged.
        """
        device = self.device or torch.device("cpu")
        windows = self._windows()
        states = teacher_states(
            BlockwiseModel(self.teacher, device), windows, work=work, progress=self.progress
        )
        model, layers = trainable_model(artifact)
        loss = distil(
            model.to(device),
            layers,
            windows=windows,
            states=states,
            settings=self.distillation,
            work=work,
            progress=self.progress,
        )
        for index in range(len(writer.blocks), len(artifact.blocks)):
            _write_block(artifact, index, writer, layers)
        rest = artifact.read_rest()
        companions = read_companions(artifact.path, artifact.files)
        writer.finish(LazyTensors(dict.fromkeys(rest.tensors, rest)), companions, loss)

    def _windows(self) -> torch.Tensor:
        drawn = dataclasses.replace(self.calibration, windows=self.distillation.windows)
        text = load_calibration(self.teacher, drawn, device=self.device, progress=self.progress)
        return calibration_windows(self.teacher, text, calibration=drawn)


def _write_block(
    artifact: Artifact, index: int, writer: ArtifactWriter, layers: Mapping[str, TrainableLinear]
) -> None:
    records: list[ProjectionRecord] = []
    tensors: dict[str, CompressedTensors] = {}
    for record in artifact.blocks[index].projections:
        stored = artifact.read(index, record.name)
        layer = layers.get(full_name(index, record.name))
        trained = record
        if layer is not None:
            bias = None if stored.bias is None else to_torch(stored.bias)
            stored = to_stored(
                layer.trained(), record.storage, bias=bias, dtype=artifact.settings.dtype
            )
            trained = dataclasses.replace(record, scaled_error=None)
        records.append(trained)
        tensors[record.name] = stored
    writer.write_block(tuple(records), tensors)
