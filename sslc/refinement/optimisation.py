"""torch's Adam over some parameters at places that stay, with a state that can be stored."""

import contextlib
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

Place = torch.Tensor | None
"""Which entries of a parameter are trained, booleans of its shape; None for all."""
_DONE = "done"


class Optimisation:
    """Adam, its learning rate given step by step.

    Args:
        parameters: What is trained, each with its places. Entries elsewhere must have no gradient.
        betas: Of Adam.
    """

    def __init__(
        self, parameters: Sequence[tuple[torch.nn.Parameter, Place]], betas: tuple[float, float]
    ) -> None:
        self._parameters = list(parameters)
        self._adam = torch.optim.Adam([each for each, _ in parameters], betas=betas, fused=True)
        self.done = 0

    def step(self, learning_rate: float, *, clip: float | None = None) -> None:
        """One step along the gradients, which are freed.

        Args:
            learning_rate: Of this step.
            clip: Largest norm of all gradients together; None for any.
        """
        if clip is not None:
            torch.nn.utils.clip_grad_norm_([each for each, _ in self._parameters], clip)
        for group in self._adam.param_groups:
            group["lr"] = learning_rate
        self._adam.step()
        self._adam.zero_grad()
        self.done += 1

    def state(self) -> dict[str, NDArray[np.float32] | NDArray[np.int64]]:
        """Values and moments at the trained places, and how many steps are done."""
        arrays: dict[str, NDArray[np.float32] | NDArray[np.int64]] = {
            _DONE: np.array([self.done], dtype=np.int64)
        }
        for number, (parameter, places) in enumerate(self._parameters):
            moments = self._adam.state[parameter]
            parts = {"value": parameter.detach()} | {
                name: moments[name] for name in ("exp_avg", "exp_avg_sq")
            }
            for name, part in parts.items():
                kept = part.flatten() if places is None else part[places]
                arrays[f"{number}.{name}"] = kept.cpu().numpy()
        return arrays

    @torch.no_grad()
    def restore(self, arrays: Mapping[str, NDArray[np.float32] | NDArray[np.int64]]) -> None:
        """Go on from what ``state`` gave for the same parameters."""
        self.done = int(arrays[_DONE][0])
        for number, (parameter, places) in enumerate(self._parameters):
            everywhere = torch.ones_like(parameter, dtype=torch.bool)
            mask = everywhere if places is None else places
            moments = {name: torch.zeros_like(parameter) for name in ("exp_avg", "exp_avg_sq")}
            for name, part in {"value": parameter.data, **moments}.items():
                stored = torch.from_numpy(np.array(arrays[f"{number}.{name}"]))
                part.masked_scatter_(mask, stored.to(part.device))
            self._adam.state[parameter] = {"step": torch.tensor(float(self.done)), **moments}


@contextlib.contextmanager
def products_in(precision: str) -> Iterator[None]:
    """Let float32 products round their factors to bfloat16, where processors have it, or not.

    Sums stay float32. It holds for the whole process, so nothing may run beside it.

    Args:
        precision: ``bfloat16`` or ``float32``.
    """
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("medium" if precision == "bfloat16" else "highest")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)
