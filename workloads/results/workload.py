"""The hash of what a simulator is given: shapes, ranks and masks, in order."""

import hashlib
import json
from dataclasses import astuple

import numpy as np

from workloads.masks.packed import PackedMask, SparseLowRankGemm


class WorkloadHash:
    """SHA-256 over projections or masks, added one at a time as they are simulated.

    It does not depend on where the masks come from: an artifact, a checkpoint with the same zeros
    and synthetic masks with the same bits are the same workload.
    """

    def __init__(self) -> None:
        self._hash = hashlib.sha256()

    def add(self, block: int, projection: SparseLowRankGemm) -> None:
        """Add one projection.

        Args:
            block: Its block.
            projection: Shape, module, rank, stored widths and mask; its tokens are named elsewhere.
        """
        gemm = projection.gemm
        head = [block, gemm.name, gemm.module, gemm.m, gemm.n, projection.rank]
        if projection.stored is not None:
            head += astuple(projection.stored)
        self._hash.update(json.dumps(head).encode())
        self._hash.update(np.ascontiguousarray(projection.mask.bits).data)

    def add_mask(self, repeats: int, mask: PackedMask) -> None:
        """Add a mask of attention.

        Args:
            repeats: How many heads have it.
            mask: Queries x keys.
        """
        self._hash.update(json.dumps([repeats, mask.rows, mask.columns]).encode())
        self._hash.update(np.ascontiguousarray(mask.bits).data)

    def hexdigest(self) -> str:
        """Of all that was added."""
        return self._hash.hexdigest()
