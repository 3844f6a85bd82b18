"""The one calibration and block loop: streaming, resumable, the same bytes every time.

For each block: run it on the calibration inputs to collect statistics, compress its projections,
store them, put the stored (rounded) weights in, and run it again for the next block's inputs.
"""

import contextlib
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from sslc.blocks import BlockwiseModel
from sslc.checkpoint import TORCH_DTYPES, Checkpoint, load_config, tokenize
from sslc.gradients import collect_gradients, read_gradients
from sslc.methods.base import Method
from sslc.statistics import InputStatistics, InputSums
from sslc.stored import dense_weight, to_numpy, to_stored
from workloads.artifact import (
    Artifact,
    CompressedTensors,
    ProjectionRecord,
    Settings,
    open_artifact,
    read_projection,
)
from workloads.artifact_writer import ArtifactWriter, rename_into_place, start_artifact
from workloads.errors import InputError
from workloads.files import open_tensors
from workloads.progress import Progress, silent
from workloads.text import Text, load_text, random_windows
from workloads.transformer import PROJECTION_MODULES, SHARED_INPUTS


@dataclass(frozen=True)
class Calibration:
    """Which text calibrates, and how it is cut.

    Attributes:
        source: ``embedded`` or a text file.
        windows: How many.
        window_tokens: Tokens in each.
        seed: Of the windows' places.
    """

    source: str = "embedded"
    windows: int = 16
    window_tokens: int = 512
    seed: int = 0

    def __post_init__(self) -> None:
        if self.windows < 1 or self.window_tokens < 2 or self.seed < 0:
            raise InputError(
                "calibration needs at least 1 window of at least 2 tokens and a seed of at least "
                f"0, got {self.windows}, {self.window_tokens} and {self.seed}"
            )


@dataclass(frozen=True)
class Output:
    """Where an artifact goes and what may happen to what stands there."""

    directory: Path
    dtype: str = "auto"
    resume: bool = False
    overwrite: bool = False


def compress(
    checkpoint: Checkpoint,
    method: tuple[str, Method],
    calibration: Calibration,
    output: Output,
    device: torch.device | None = None,
    progress: Progress = silent,
    workers: int | None = None,
) -> Artifact:
    """Compress a causal LM into an artifact.

    Args:
        checkpoint: The dense model.
        method: Registered name and its settings.
        calibration: Text and windows.
        output: Directory, stored dtype, and what to do with what is there.
        device: Where the arithmetic runs; the CPU by default.
        progress: Told after every block.
        workers: Projections compressed at once, each on one thread, so that their number changes
            no byte; by default one per core on the CPU and one on another device.

    Returns:
        The finished artifact, opened.

    Raises:
        InputError: Bad weights, a budget that does not fit a projection, text that is too short,
            or a directory that may not be touched. What was finished before stays resumable.
    """
    text = load_text(calibration.source, "calibration")
    settings = _settings(checkpoint, method, calibration, text, output.dtype)
    if output.resume:
        finished = _finished(output, settings)
        if finished is not None:
            return finished
    windows = _windows(checkpoint, text, calibration)
    model = BlockwiseModel(checkpoint, device)
    names = _projection_names(model)
    if workers is None:
        workers = joblib.cpu_count() if model.device.type == "cpu" else 1
    writer = start_artifact(
        output.directory, settings, resume=output.resume, overwrite=output.overwrite
    )
    gradients = writer.partial / "gradients"
    if method[1].needs_gradients and len(writer.blocks) < model.blocks:
        collect_gradients(model, torch.from_numpy(windows), gradients, progress)
    hidden = model.embed(torch.from_numpy(windows))
    for index in range(model.blocks):
        progress(f"compress ({method[0]})", index, model.blocks)
        with model.block(index) as block:
            linears = {name: block.get_submodule(name) for name in names}
            if index < len(writer.blocks):
                stored = _read_back(writer, index)
            else:
                _check_finite(index, linears)
                hessian = method[1].needs_hessian
                statistics = _input_statistics(model, index, block, linears, hidden, hessian)
                if method[1].needs_gradients:
                    statistics = _with_gradients(statistics, gradients, index, model.device)
                stored = _compress_block(index, linears, statistics, method[1], writer, workers)
            for name, tensors in stored.items():
                block.get_parameter(f"{name}.weight").copy_(dense_weight(tensors))
            if index + 1 < model.blocks:
                model.run(index, block, hidden)
    shutil.rmtree(gradients, ignore_errors=True)
    writer.finish(_rest(checkpoint, names, model.blocks), checkpoint.companions())
    progress(f"compress ({method[0]})", model.blocks, model.blocks)
    return open_artifact(output.directory)


def _compress_block(
    index: int,
    linears: Mapping[str, nn.Module],
    statistics: Mapping[str, InputStatistics],
    method: Method,
    writer: ArtifactWriter,
    workers: int,
) -> dict[str, CompressedTensors]:
    """Compress a block's projections, the largest first, and write them."""

    def job(name: str) -> tuple[ProjectionRecord, CompressedTensors]:
        try:
            return _compress_projection(
                name, linears[name], statistics[name], method, writer.settings.dtype
            )
        except ValueError as error:
            raise InputError(f"block {index}, {name}: {error}") from error

    order = sorted(linears, key=lambda name: -linears[name].weight.numel())  # type: ignore[operator]
    with _one_thread_each():
        made = joblib.Parallel(workers, backend="threading")(joblib.delayed(job)(n) for n in order)
    results = dict(zip(order, made, strict=True))
    writer.write_block(
        tuple(results[name][0] for name in linears), {name: results[name][1] for name in linears}
    )
    return {name: results[name][1] for name in linears}


def _check_finite(index: int, linears: Mapping[str, nn.Module]) -> None:
    for name, linear in linears.items():
        if not torch.isfinite(linear.weight).all():  # type: ignore[arg-type]
            raise InputError(f"block {index}, {name}: the weights hold NaN or infinite values")


@contextlib.contextmanager
def _one_thread_each() -> Iterator[None]:
    """Let threads that start inside do their arithmetic on one core each."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _compress_projection(
    name: str, linear: nn.Module, statistics: InputStatistics, method: Method, dtype: str
) -> tuple[ProjectionRecord, CompressedTensors]:
    weight, bias = linear.weight, linear.bias
    assert isinstance(weight, torch.Tensor)
    assert bias is None or isinstance(bias, torch.Tensor)
    if not torch.isfinite(statistics.norms).all():
        raise ValueError("the calibration inputs are not finite; check the weights before it")
    stored = to_stored(method.compress(weight, statistics), dtype, bias)
    m, n = weight.shape
    record = ProjectionRecord(
        name=name,
        module=PROJECTION_MODULES[name.rpartition(".")[2]],
        m=m,
        n=n,
        rank=stored.u.shape[1],
        kept_fraction=method.kept_fraction,
        nonzeros=stored.mask.nnz,
        bias=bias is not None,
        scaled_error=_scaled_error(weight, dense_weight(stored), statistics),
    )
    return record, stored


def _scaled_error(weight: torch.Tensor, stored: torch.Tensor, statistics: InputStatistics) -> float:
    scale = statistics.scale()
    whole = torch.linalg.norm(weight * scale)
    if whole == 0:
        return 0.0
    lost = torch.linalg.norm((weight - stored.to(weight.device)) * scale)
    return float(lost / whole)


def _input_statistics(
    model: BlockwiseModel,
    index: int,
    block: nn.Module,
    linears: Mapping[str, nn.Module],
    hidden: torch.Tensor,
    hessian: bool,
) -> dict[str, InputStatistics]:
    """Statistics of every projection's inputs, collected once where projections share them."""
    origin = {}
    for name in linears:
        parent, _, last = name.rpartition(".")
        origin[name] = f"{parent}.{SHARED_INPUTS.get(last, last)}"
    sums, handles = {}, []
    for name in dict.fromkeys(origin.values()):
        linear = linears[name]
        assert isinstance(linear, nn.Linear)
        sums[name] = InputSums(linear.in_features, model.device, hessian=hessian)
        handles.append(linear.register_forward_pre_hook(sums[name]))
    model.run(index, block, hidden, keep=False)
    for handle in handles:
        handle.remove()
    collected = {name: entry.statistics(model.device) for name, entry in sums.items()}
    return {
        name: replace(collected[origin[name]], module=PROJECTION_MODULES[name.rpartition(".")[2]])
        for name in linears
    }


def _with_gradients(
    statistics: Mapping[str, InputStatistics], directory: Path, index: int, device: torch.device
) -> dict[str, InputStatistics]:
    found = read_gradients(directory, index, device)
    return {name: replace(each, gradient=found[name]) for name, each in statistics.items()}


def _projection_names(model: BlockwiseModel) -> tuple[str, ...]:
    """Dotted names of a block's linear layers, in the order in which they run."""
    names = model.linear_names()
    unknown = [name for name in names if name.rpartition(".")[2] not in PROJECTION_MODULES]
    if unknown:
        raise InputError(
            f"{model.source.directory}: projection {unknown[0]!r} is not one of "
            f"{', '.join(PROJECTION_MODULES)}"
        )
    return names


def _read_back(writer: ArtifactWriter, index: int) -> dict[str, CompressedTensors]:
    """The stored tensors of a block that an interrupted run had finished."""
    block = writer.blocks[index]
    file = open_tensors(writer.partial / block.file)
    return {record.name: read_projection(file, record) for record in block.projections}


def _settings(
    checkpoint: Checkpoint,
    method: tuple[str, Method],
    calibration: Calibration,
    text: Text,
    dtype: str,
) -> Settings:
    if dtype == "auto":
        projection = next(
            (n for n in sorted(checkpoint.names()) if n.endswith("q_proj.weight")), ""
        )
        dtype = checkpoint.dtypes.get(projection, "F32")
    if dtype not in TORCH_DTYPES:
        raise InputError(f"dtype {dtype} cannot be stored; give one of {', '.join(TORCH_DTYPES)}")
    return Settings(
        base_model={
            "name": checkpoint.name,
            "architecture": load_config(checkpoint.directory).model_type,
            "sha256": checkpoint.sha256(),
        },
        method={"name": method[0], "settings": asdict(method[1])},  # type: ignore[call-overload]
        calibration={**asdict(calibration), "source": text.source, "sha256": text.sha256},
        dtype=dtype,
    )


def _finished(output: Output, settings: Settings) -> Artifact | None:
    """The artifact that stands there already, if it was made under the same settings."""
    rename_into_place(output.directory)
    if not output.directory.exists():
        return None
    artifact = open_artifact(output.directory)
    if artifact.settings == settings:
        return artifact
    if output.overwrite:
        return None
    raise InputError(
        f"{output.directory} is finished, but was made with other settings; --overwrite replaces it"
    )


def _windows(checkpoint: Checkpoint, text: Text, calibration: Calibration) -> NDArray[np.int64]:
    tokens = tokenize(checkpoint.directory, text.content)
    return random_windows(tokens, calibration.windows, calibration.window_tokens, calibration.seed)


def _rest(checkpoint: Checkpoint, names: tuple[str, ...], blocks: int) -> dict[str, NDArray[Any]]:
    compressed = {
        f"model.layers.{index}.{name}.{part}"
        for index in range(blocks)
        for name in names
        for part in ("weight", "bias")
    }
    rest = checkpoint.names() - compressed
    return {name: to_numpy(checkpoint.tensor(name)) for name in sorted(rest)}
