"""Small weights with correlated inputs, and the statistics of those inputs."""

import dataclasses

import torch

from sslc.calibration.statistics import InputStatistics
from sslc.methods.registry import load_method


def statistics_of(inputs: torch.Tensor) -> InputStatistics:
    """Of inputs X, shape (n, tokens)."""
    means, variances = inputs.mean(dim=1), inputs.var(dim=1, correction=0)
    return InputStatistics(inputs.norm(dim=1), means, variances, inputs @ inputs.T)


def correlated_inputs(n: int, generator: torch.Generator) -> torch.Tensor:
    """Correlated channels of unlike strength, 3n tokens."""
    mixed = torch.randn(n, n, generator=generator) / n**0.5 + torch.eye(n)
    strength = torch.exp(0.7 * torch.randn(n, 1, generator=generator))
    inputs: torch.Tensor = strength * (mixed @ torch.randn(n, 3 * n, generator=generator))
    return inputs


def small_case(m: int, n: int, seed: int = 0) -> tuple[torch.Tensor, InputStatistics]:
    generator = torch.Generator().manual_seed(seed)
    weight, statistics = (
        torch.randn(m, n, generator=generator),
        statistics_of(correlated_inputs(n, generator)),
    )
    return weight, with_gradient(statistics, weight, generator)


def with_gradient(
    statistics: InputStatistics, weight: torch.Tensor, generator: torch.Generator
) -> InputStatistics:
    gradient = torch.rand(weight.shape, generator=generator) * statistics.norms
    return dataclasses.replace(statistics, gradient=gradient)


def norms_only(norms: torch.Tensor) -> InputStatistics:
    zero = torch.zeros_like(norms)
    return InputStatistics(norms, zero, zero)


def small_problem(m: int, n: int, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """W, and correlated inputs X of 4n tokens."""
    generator = torch.Generator().manual_seed(seed)
    mixed = torch.randn(n, n, generator=generator) / n**0.5 + torch.eye(n)
    strength = torch.exp(0.7 * torch.randn(n, 1, generator=generator))
    return torch.randn(m, n, generator=generator), strength * (
        mixed @ torch.randn(n, 4 * n, generator=generator)
    )


def output_error(name: str, weight: torch.Tensor, inputs: torch.Tensor, **settings: float) -> float:
    result = load_method(name, settings).compress(weight, statistics_of(inputs))
    lost = weight - result.sparse - result.u @ result.v.T
    return float(torch.linalg.norm(lost @ inputs) / torch.linalg.norm(weight @ inputs))
