"""One block of the loop: compressed projection by projection, then trained as a block if asked."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from sslc.calibration.gradients import read_gradients
from sslc.calibration.statistics import InputStatistics
from sslc.compression.plan import DENSE
from sslc.compression.preparation import Prepared
from sslc.compression.projections import (
    Made,
    compress_block,
    input_statistics,
    unit_statistics,
    with_error,
)
from sslc.compression.rounding import original_of, to_stored
from sslc.methods.base import CompressedProjection
from sslc.model.names import bias_name, full_name
from sslc.model.source import TORCH_DTYPES
from sslc.model.weights import to_numpy
from sslc.refinement.block_matching import Matched, match_block
from sslc.refinement.stages import BlockMatching
from workloads.artifact.record import CompressedTensors
from workloads.support.files import open_tensors, write_tensors


@dataclass(frozen=True, eq=False)
class BlockMaker:
    """Makes one block after the other.

    Attributes:
        prepared: The model and its plan.
        workers: Projections at once.
        gradients: Directory of the weights' gradients, or None.
        matching: How each block is trained afterwards, or None.
        dtypes: Of the checkpoint's tensors by name, which trained norms keep.
        work: Directory where trained norms go until the artifact is finished.
    """

    prepared: Prepared
    workers: int
    gradients: Path | None
    matching: BlockMatching | None
    dtypes: Mapping[str, str]
    work: Path

    def make(self, index: int, hidden: torch.Tensor, *, calibrated: bool) -> dict[str, Made]:
        """Compress a block, and train what is kept of it.

        Args:
            index: Which block.
            hidden: Its inputs, shape (w, L, h); left as they are.
            calibrated: False to look at no input: the block stays dense.

        Returns:
            Record and tensors of its projections by name.
        """
        model, methods = self.prepared.model, self.prepared.plan.blocks[index]
        targets = hidden
        if calibrated:
            trained = self.matching is not None
            targets = hidden.clone() if trained else hidden
            statistics = input_statistics(
                model, index, methods=methods, hidden=targets, keep=trained
            )
            statistics = self._with_gradients(statistics, index)
        else:
            statistics = unit_statistics(model, methods)
        made = compress_block(
            model,
            index,
            methods=methods,
            statistics=statistics,
            dtype=self.prepared.dtype,
            workers=self.workers,
        )
        if self.matching is None or not calibrated:
            return made
        return made | self._matched(index, made, (hidden, targets), statistics)

    def norms(self, index: int) -> Mapping[str, torch.Tensor]:
        """Trained norms of a finished block by their names in the checkpoint."""
        path = self.norms_file(index)
        if not path.is_file():
            return {}
        file = open_tensors(path)
        return {name: torch.from_numpy(np.array(file.read(name))) for name in file.tensors}

    def norms_file(self, index: int) -> Path:
        """Where the trained norms of a block are kept."""
        return self.work / f"norms-{index:03d}.safetensors"

    def _matched(
        self,
        index: int,
        made: Mapping[str, Made],
        streams: tuple[torch.Tensor, torch.Tensor],
        statistics: Mapping[str, InputStatistics],
    ) -> dict[str, Made]:
        """The trained projections of a block; its norms are left in the directory of work."""
        model, methods = self.prepared.model, self.prepared.plan.blocks[index]
        stored = {name: kept for name, (_, kept) in made.items() if methods[name] is not DENSE}
        if not stored:
            return {}
        assert self.matching is not None

        def store(name: str, projection: CompressedProjection) -> CompressedTensors:
            bias = stored[name].bias
            given = None if bias is None else model.read(bias_name(full_name(index, name)))
            return to_stored(
                projection,
                made[name][0].storage,
                bias=given,
                dtype=self.prepared.dtype,
                original=original_of(None, statistics[name], methods[name]),
            )

        matched = match_block(
            model,
            index,
            stored=stored,
            inputs=streams[0],
            targets=streams[1],
            settings=self.matching,
            store=store,
        )
        self._keep_norms(index, matched)
        return {
            name: with_error(model, index, made[name], stored=kept, statistics=statistics[name])
            for name, kept in matched.stored.items()
        }

    def _keep_norms(self, index: int, matched: Matched) -> None:
        """In the checkpoint's own dtype, as they will be stored."""
        if matched.norms:
            kept = {
                name: to_numpy(norm.to(TORCH_DTYPES[self.dtypes[name]]))
                for name, norm in matched.norms.items()
            }
            write_tensors(self.norms_file(index), kept)

    def _with_gradients(
        self, statistics: Mapping[str, InputStatistics], index: int
    ) -> dict[str, InputStatistics]:
        device, directory = self.prepared.model.device, self.gradients
        gradients = {} if directory is None else read_gradients(directory, index, device=device)
        return {
            name: replace(entry, gradient=gradients.get(name)) for name, entry in statistics.items()
        }
