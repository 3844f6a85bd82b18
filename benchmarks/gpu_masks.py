"""Random masks on the device, packed as artifacts store them.

A part of benchmarks.gpu, which runs it.
"""

import torch
from torch import Tensor


def random_row_mask(rows: int, columns: int, kept: int, generator: torch.Generator) -> Tensor:
    """A mask on the device that keeps the same number of random places in every row."""
    scores = torch.rand(rows, columns, device="cuda", generator=generator)
    mask = torch.zeros(rows, columns, dtype=torch.bool, device="cuda")
    return mask.scatter_(1, scores.topk(kept, 1, sorted=False).indices, True)


def pack_mask(mask: Tensor) -> Tensor:
    """Bits of a mask, little-endian, rows padded to bytes."""
    padded = torch.nn.functional.pad(mask, (0, -mask.shape[1] % 8))
    weights = torch.tensor([1, 2, 4, 8, 16, 32, 64, 128], dtype=torch.uint8, device=mask.device)
    bits = padded.view(mask.shape[0], -1, 8).to(torch.uint8)
    return (bits * weights).sum(2, dtype=torch.uint8)
