"""The projections of one block: what flows into them, and each compressed on a thread of its own.

A projection's weights are read when its turn comes, so that memory holds as many matrices as there
are workers and not the block.
"""

import contextlib
import math
from collections.abc import Iterator, Mapping
from dataclasses import replace

import joblib
import numpy as np
import torch
from torch import nn

from sslc.calibration.statistics import InputStatistics, InputSums
from sslc.compression.rounding import original_of, to_stored
from sslc.methods.base import Method
from sslc.methods.rounded import precision_of
from sslc.model.blocks import BlockwiseModel, Enough
from sslc.model.experts import experts_of
from sslc.model.finite import not_finite
from sslc.model.names import bias_name, full_name, weight_name
from sslc.model.weights import dense_weight, row_chunks
from workloads.artifact.record import CompressedTensors, ProjectionRecord
from workloads.shapes.experts import expert_of
from workloads.shapes.gemm import Module
from workloads.shapes.transformer import PROJECTION_MODULES, SHARED_INPUTS
from workloads.support.errors import InputError

Made = tuple[ProjectionRecord, CompressedTensors]


def input_statistics(
    model: BlockwiseModel,
    index: int,
    *,
    methods: Mapping[str, Method],
    hidden: torch.Tensor,
    keep: bool = False,
    products: bool = False,
) -> dict[str, InputStatistics]:
    """Statistics of every projection's inputs, collected once where projections share them.

    An expert is calibrated by the tokens that the router sends to it. One that gets less than a
    quarter of an equal share is calibrated by every token of the block in a second pass.

    Args:
        model: The dense model.
        index: Which block.
        methods: Of its projections, by name; they say whether X Xᵀ is needed.
        hidden: The block's inputs, shape (w, L, h); left as they are unless ``keep`` is true.
        keep: Overwrite them with the dense block's outputs.
        products: Collect X Xᵀ of every input, whether a method needs it or not.

    Raises:
        InputError: A weight is missing, of the wrong shape, or not finite.
    """
    origin = {name: _origin(name) for name in methods}
    hessian = {origin[name]: products for name in methods}
    for name, method in methods.items():
        hessian[origin[name]] |= method.needs_hessian
    with model.block(index) as block:
        _check_finite(index, block, methods)
        inputs = hidden.clone() if keep and experts_of(block) is not None else hidden
        sums = _summed(model, index, block, hessian=hessian, hidden=hidden, keep=keep)
        routed = {name: entry.tokens for name, entry in sums.items() if expert_of(name) is not None}
        sums |= _of_seldom_chosen(
            model, index, block, routed=routed, hessian=hessian, inputs=inputs
        )
    collected = {name: entry.statistics(model.device) for name, entry in sums.items()}
    return {
        name: replace(
            collected[origin[name]], module=_module(name), routed_tokens=routed.get(origin[name])
        )
        for name in methods
    }


def _summed(
    model: BlockwiseModel,
    index: int,
    block: nn.Module,
    *,
    hessian: Mapping[str, bool],
    hidden: torch.Tensor,
    keep: bool,
) -> dict[str, InputSums]:
    """Sums over one pass of what enters some projections; ``hessian`` says whether of X Xᵀ too."""
    sums, handles = {}, []
    for name, products in hessian.items():
        linear = block.get_submodule(name)
        assert isinstance(linear, nn.Linear)
        sums[name] = InputSums(linear.in_features, model.device, hessian=products)
        handles.append(linear.register_forward_pre_hook(sums[name]))
    if not keep and expert_of(name) is None:
        handles.append(linear.register_forward_pre_hook(_enough))
    model.run(index, block, hidden, keep=keep)
    for handle in handles:
        handle.remove()
    return sums


def _of_seldom_chosen(
    model: BlockwiseModel,
    index: int,
    block: nn.Module,
    *,
    routed: Mapping[str, int],
    hessian: Mapping[str, bool],
    inputs: torch.Tensor,
) -> dict[str, InputSums]:
    """Sums over every token for projections of experts that the router sent too few of them."""
    experts = experts_of(block)
    if experts is None:
        return {}
    visits = inputs.shape[0] * inputs.shape[1] * model.config.num_experts_per_tok
    few = [name for name, tokens in routed.items() if 4 * tokens * len(experts) < visits]
    if not few:
        return {}
    experts.on_every_token = tuple(sorted({expert_of(name) or 0 for name in few}))
    again = {name: hessian[name] for name in few}
    sums = _summed(model, index, block, hessian=again, hidden=inputs, keep=False)
    experts.on_every_token = ()
    return sums


def _enough(_module: nn.Module, _inputs: object) -> None:
    """Behind the sums of the last projection: what it and all after it give is not needed."""
    raise Enough


def unit_statistics(
    model: BlockwiseModel, methods: Mapping[str, Method]
) -> dict[str, InputStatistics]:
    """Statistics of uncorrelated inputs of norm 1, for projections that nobody calibrates."""
    linears = model.linears()
    ones = {name: torch.ones(linears[name].in_features, device=model.device) for name in methods}
    return {
        name: InputStatistics(one, torch.zeros_like(one), one, module=_module(name))
        for name, one in ones.items()
    }


def compress_block(
    model: BlockwiseModel,
    index: int,
    *,
    methods: Mapping[str, Method],
    statistics: Mapping[str, InputStatistics],
    dtype: str,
    workers: int,
) -> dict[str, Made]:
    """Compress a block's projections, the largest first.

    Args:
        model: The dense model.
        index: Which block.
        methods: Of its projections, by name.
        statistics: Of their inputs.
        dtype: Stored dtype.
        workers: Projections at once, each on one thread, so that their number changes no byte.

    Returns:
        Record and tensors by name, in the order of ``methods``.

    Raises:
        InputError: A budget does not fit a projection, or values are not finite.
    """
    linears = model.linears()

    def job(name: str) -> Made:
        module = full_name(index, name)
        weight = model.read(weight_name(module))
        bias = None if linears[name].bias is None else model.read(bias_name(module))
        try:
            return _compress_projection(
                name, (weight, bias), statistics[name], methods[name], dtype
            )
        except ValueError as error:
            raise InputError(f"block {index}, {name}: {error}") from error

    for name, entry in statistics.items():
        if not torch.isfinite(entry.norms).all():
            raise not_finite(model.source, f"the input of block {index}, {name}")
    order = sorted(methods, key=lambda name: -linears[name].weight.numel())
    with one_thread_each():
        made = joblib.Parallel(workers, backend="threading")(joblib.delayed(job)(n) for n in order)
    results = dict(zip(order, made, strict=True))
    return {name: results[name] for name in methods}


def _compress_projection(
    name: str,
    given: tuple[torch.Tensor, torch.Tensor | None],
    statistics: InputStatistics,
    method: Method,
    dtype: str,
) -> Made:
    weight, bias = given
    m, n = weight.shape
    made, precision = method.compress(weight, statistics), precision_of(method)
    full = method.budget(m, n).nonzeros == m * n
    storage = precision.storage(dtype, full=full)
    original = original_of(weight, statistics, method)
    stored = to_stored(made, storage, bias=bias, dtype=dtype, original=original)
    record = ProjectionRecord(
        name=name,
        module=_module(name),
        m=m,
        n=n,
        rank=stored.u.shape[1],
        kept_fraction=method.kept_fraction,
        nonzeros=stored.mask.nnz,
        bias=bias is not None,
        scaled_error=_scaled_error(weight, stored, statistics),
        storage=storage,
        routed_tokens=statistics.routed_tokens,
    )
    return record, stored


def with_error(
    model: BlockwiseModel,
    index: int,
    made: Made,
    *,
    stored: CompressedTensors,
    statistics: InputStatistics,
) -> Made:
    """A projection with other stored values at the same places, and their error.

    Args:
        model: The dense model.
        index: Which block.
        made: What the method gave.
        stored: What takes its place.
        statistics: Of the inputs.
    """
    record, _ = made
    weight = model.read(weight_name(full_name(index, record.name)))
    return replace(record, scaled_error=_scaled_error(weight, stored, statistics)), stored


def _scaled_error(
    weight: torch.Tensor, stored: CompressedTensors, statistics: InputStatistics
) -> float:
    """‖(W − S − L) D‖_F / ‖W D‖_F, some rows at a time."""
    scale = statistics.scale()
    whole, lost = [], []
    for rows in row_chunks(*weight.shape):
        part = weight[rows]
        whole.append(float(torch.linalg.norm(part * scale)))
        difference = part - dense_weight(stored, rows).to(weight.device)
        lost.append(float(torch.linalg.norm(difference * scale)))
    if not any(whole):
        return 0.0
    return float(np.float32(math.hypot(*lost)) / np.float32(math.hypot(*whole)))


def _check_finite(index: int, block: nn.Module, names: Mapping[str, Method]) -> None:
    for name in names:
        if not torch.isfinite(block.get_parameter(f"{name}.weight")).all():
            raise InputError(f"block {index}, {name}: the weights hold NaN or infinite values")


def _origin(name: str) -> str:
    """The projection at which the inputs of a projection are collected."""
    parent, _, last = name.rpartition(".")
    return f"{parent}.{SHARED_INPUTS.get(last, last)}"


def _module(name: str) -> Module:
    return PROJECTION_MODULES[name.rpartition(".")[2]]


@contextlib.contextmanager
def one_thread_each() -> Iterator[None]:
    """Let threads that start inside do their arithmetic on one core each."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def default_workers(device: torch.device) -> int:
    """One per core on the CPU, one on another device."""
    return int(joblib.cpu_count()) if device.type == "cpu" else 1


def projection_names(model: BlockwiseModel) -> tuple[str, ...]:
    """Dotted names of a block's linear layers, in the order in which they run.

    Raises:
        InputError: One is not a projection that we know.
    """
    names = model.linear_names()
    unknown = [name for name in names if name.rpartition(".")[2] not in PROJECTION_MODULES]
    if unknown:
        raise InputError(
            f"{model.source.directory}: projection {unknown[0]!r} is not one of "
            f"{', '.join(PROJECTION_MODULES)}"
        )
    return names
