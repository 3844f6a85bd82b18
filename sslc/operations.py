"""What a user asks of the compressor: plain values in, opened artifacts and typed results out.

The functions of the package's face; the command line calls the same. Each opens what is named,
turns plain values into settings, and hands over to the room that does the work.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from sslc.allocation.dispatch import (
    allocated_overrides,
    given_cost_curves,
    place_of_overrides,
)
from sslc.allocation.kinds import UNIFORM, read_allocation
from sslc.calibration.windows import Calibration
from sslc.compression.dry_run import RunEstimate, dry_run
from sslc.compression.output import Output
from sslc.compression.plan import Choice, Override, read_overrides, write_overrides
from sslc.exporting.adapter_export import export_adapter
from sslc.exporting.dense import export_dense
from sslc.methods.base import Method
from sslc.methods.registry import load_method, run_defaults
from sslc.model.devices import find_device
from sslc.model.loading import load_artifact
from sslc.model.opening import open_checkpoint
from sslc.model.source import torch_dtype
from sslc.recovery.recovered import recover_artifact
from sslc.recovery.refined import compress_and_refine
from sslc.recovery.settings import Training
from sslc.refinement.stages import read_refinement
from sslc.runtime.backend_model import load_on_backend
from sslc.runtime.backends import BACKENDS
from workloads.artifact.read import Artifact, open_artifact
from workloads.results.cost_curves import CostCurves
from workloads.support.errors import unknown_name
from workloads.support.progress import Progress, silent
from workloads.support.sizes import parse_bytes

Patterns = str | Sequence[str]
Overrides = str | Path | Mapping[str, Mapping[str, Any]]
LAYOUTS = ("dense", "adapter")
TORCH = "torch"
LOADERS = (TORCH, "auto", *BACKENDS)
"""Backends of ``load``."""


def compress(
    model: str | Path,
    out: str | Path,
    *,
    method: str = "sslc",
    kept_fraction: float | None = None,
    rank_share: float | None = None,
    settings: Mapping[str, Any] | None = None,
    include: Patterns = (),
    exclude: Patterns = (),
    overrides: Overrides | None = None,
    allocation: str = UNIFORM,
    allocation_settings: Mapping[str, Any] | None = None,
    cost_curves: str | Path | CostCurves | None = None,
    save_overrides: str | Path | None = None,
    refine: str | None = None,
    refine_settings: Mapping[str, Any] | None = None,
    calibration: str | None = None,
    windows: int | None = None,
    window_tokens: int = 512,
    seed: int = 0,
    dtype: str = "auto",
    device: str = "cpu",
    workers: int | None = None,
    max_memory: int | str | None = None,
    resume: bool = False,
    overwrite: bool = False,
    progress: Progress = silent,
) -> Artifact:
    """Compress a causal LM: every projection becomes S + U Vᵀ.

    Runs block by block: one block of the model is in memory at a time. An interrupted run goes on
    with ``resume``.

    Args:
        model: Hub name (``organisation/name``), Hugging Face directory, ``.gguf`` file, or
            ``smollm2-135m``.
        out: Directory of the artifact.
        method: A name from ``sslc list methods``.
        kept_fraction: Kept share of each projection's parameters, U and V included, in [0, 1];
            None for the method's own.
        rank_share: Share of them that U and V may take, in [0, 1]; None for the method's own.
        settings: The method's other settings by name.
        include: Only projections that a pattern matches: ``layers.3.self_attn.q_proj`` or its last
            part, with wildcards.
        exclude: Of those, not these: they stay dense.
        overrides: Settings by pattern, or a TOML file with a table for each pattern.
        allocation: How the kept fraction is divided: ``uniform``; ``owl`` between blocks, or
            ``hardware`` between projections, which look at the dense model's inputs first. What
            overrides say wins.
        allocation_settings: Its settings by name, such as ``width``.
        cost_curves: Of ``hardware``: what projections cost, or a JSON file of it.
        save_overrides: A TOML file that gets what the allocation decided, as overrides.
        refine: What is trained towards the dense model after the method: ``blocks``, ``logits``,
            both with a comma, or ``none``; None for the method's own.
        refine_settings: Its settings by stage and name, such as ``logits.steps``.
        calibration: ``embedded``, ``self`` (what the model writes), ``wikitext2``, ``c4``, or a
            text file; or several with shares, such as ``embedded:8,self:8``; None for the
            method's own.
        windows: Calibration windows; None for the method's own number.
        window_tokens: Tokens in each.
        seed: Of the windows' positions in the text.
        dtype: In which it is stored: ``BF16``, ``F16``, ``F32``, or ``auto`` for the model's own.
        device: ``cpu``, ``cuda`` or ``cuda:N``.
        workers: Projections at once; None for one per core. Their number changes no byte.
        max_memory: Fewer workers to stay below so many bytes, or a text such as ``4GiB``.
        resume: Go on with an interrupted run, or return what is finished.
        overwrite: Replace what stands there.
        progress: Told after every block.

    Returns:
        The artifact, opened.

    Raises:
        InputError: A name, a setting, a file or the budget cannot be used; the sentence names it.
    """
    asked = _method(method, kept_fraction, rank_share, settings)
    divided = read_allocation(allocation, allocation_settings or {})
    curves = given_cost_curves(cost_curves, divided)
    saved = place_of_overrides(save_overrides, divided)
    output = Output(Path(out), dtype, resume=resume, overwrite=overwrite)
    own = run_defaults(method)
    windows = own.windows if windows is None else windows
    checkpoint = open_checkpoint(str(model), progress)
    text = Calibration(calibration or own.calibration, windows, window_tokens, seed)
    choice = _choice(include, exclude, overrides)
    found = allocated_overrides(
        checkpoint, asked, divided=divided, curves=curves, calibration=text, choice=choice,
        device=find_device(device), workers=workers, progress=progress,
    )  # fmt: skip
    if saved is not None:
        write_overrides(saved, found)
    choice = replace(choice, overrides=(*found, *choice.overrides))
    return compress_and_refine(
        checkpoint,
        asked,
        calibration=text,
        output=output,
        refinement=read_refinement(refine or own.refine, refine_settings or {}),
        device=find_device(device),
        progress=progress,
        workers=workers,
        choice=choice,
        max_memory_bytes=parse_bytes(max_memory),
    )


def estimate_run(
    model: str | Path,
    *,
    method: str = "sslc",
    kept_fraction: float | None = None,
    rank_share: float | None = None,
    settings: Mapping[str, Any] | None = None,
    include: Patterns = (),
    exclude: Patterns = (),
    overrides: Overrides | None = None,
    refine: str | None = None,
    refine_settings: Mapping[str, Any] | None = None,
    calibration: str | None = None,
    windows: int | None = None,
    window_tokens: int = 512,
    seed: int = 0,
    dtype: str = "auto",
    device: str = "cpu",
    workers: int | None = None,
    max_memory: int | str | None = None,
    progress: Progress = silent,
) -> RunEstimate:
    """What ``compress`` would give and take under the same arguments; nothing is written.

    Raises:
        InputError: ``compress`` would refuse.
    """
    asked = _method(method, kept_fraction, rank_share, settings)
    own = run_defaults(method)
    windows = own.windows if windows is None else windows
    return dry_run(
        open_checkpoint(str(model), progress),
        asked,
        calibration=Calibration(calibration or own.calibration, windows, window_tokens, seed),
        refinement=read_refinement(refine or own.refine, refine_settings or {}),
        dtype=dtype,
        device=find_device(device),
        workers=workers,
        choice=_choice(include, exclude, overrides),
        max_memory_bytes=parse_bytes(max_memory),
    )


def recover(
    artifact: str | Path | Artifact,
    out: str | Path,
    *,
    data: str = "embedded",
    steps: int = 100,
    window_tokens: int = 256,
    batch_size: int = 2,
    learning_rate: float = 5e-4,
    warmup_share: float = 0.1,
    seed: int = 0,
    rank_share: float = 0.0625,
    teacher: str | Path | None = None,
    device: str = "cpu",
    resume: bool = False,
    overwrite: bool = False,
    progress: Progress = silent,
) -> Artifact:
    """Fine-tune U and V with S frozen; or LoRA of the same size where there are none.

    Args:
        artifact: What to recover.
        out: Directory of the recovered artifact.
        data: ``alpaca``, a ``.jsonl`` file of instructions or texts, or a text as in ``compress``.
        steps: Of the optimizer (AdamW).
        window_tokens: Tokens per example at most.
        batch_size: Examples per step.
        learning_rate: At its peak.
        warmup_share: Share of the steps in which it rises, in [0, 1].
        seed: Of the examples' order and of fresh factors.
        rank_share: Share of the parameters that LoRA may take where there are no factors.
        teacher: The dense model whose next-token distributions are learnt in place of the data's
            tokens; None for the tokens.
        device: ``cpu``, ``cuda`` or ``cuda:N``.
        resume: Go on with an interrupted run, or return what is finished.
        overwrite: Replace what stands there.
        progress: Told after every step.

    Returns:
        The recovered artifact, opened.

    Raises:
        InputError: The artifact, the data or a setting cannot be used, or PEFT is not installed.
    """
    training = Training(
        data=data,
        steps=steps,
        window_tokens=window_tokens,
        batch_size=batch_size,
        learning_rate=learning_rate,
        warmup_share=warmup_share,
        seed=seed,
        rank_share=rank_share,
        teacher=None if teacher is None else str(teacher),
    )
    return recover_artifact(
        _opened(artifact),
        training,
        output=Output(Path(out), resume=resume, overwrite=overwrite),
        device=find_device(device),
        progress=progress,
    )


def load(
    artifact: str | Path | Artifact,
    *,
    dtype: str = "F32",
    backend: str = TORCH,
    device: str = "cpu",
) -> Any:
    """An artifact as a transformers causal LM whose projections keep S and U, V apart.

    Args:
        artifact: What to load.
        dtype: Of every tensor: ``F32``, ``BF16`` or ``F16``. Kernels take F32 and BF16 on a CPU,
            BF16 and F16 on a GPU.
        backend: ``torch``, whose products are dense and whose U and V can be trained; or kernels
            that read only what is kept: ``auto`` for the best of the device, ``cpu``, ``cuda``,
            ``triton``.
        device: ``cpu``, ``cuda`` or ``cuda:N``.

    Returns:
        A ``PreTrainedModel`` in evaluation mode, ready for ``generate``; with ``torch`` U and V
        alone require gradients, else nothing does.

    Raises:
        InputError: The artifact is missing or broken, the dtype is unknown, or the backend cannot
            run here; the sentence says why.
    """
    target, opened = find_device(device), _opened(artifact)
    if backend not in LOADERS:
        raise unknown_name("backend", backend, LOADERS)
    if backend == TORCH:
        return load_artifact(opened, torch_dtype(dtype)).to(target)
    return load_on_backend(opened, torch_dtype(dtype), backend=backend, device=target)


def export(
    artifact: str | Path | Artifact,
    out: str | Path,
    *,
    layout: Literal["dense", "adapter"] = "dense",
    dtype: str = "F32",
    progress: Progress = silent,
) -> Path:
    """Write an artifact as a Hugging Face checkpoint that needs no code of ours.

    Args:
        artifact: What to export.
        out: A directory that does not exist yet.
        layout: ``dense``: W' = S + U Vᵀ in every projection; ``adapter``: S in the checkpoint, U
            and V as a PEFT LoRA adapter in its folder ``adapter``.
        dtype: Of every tensor of ``dense``; an adapter keeps the artifact's.
        progress: Told after every tensor.

    Returns:
        The directory.

    Raises:
        InputError: Something stands there, the layout or dtype is unknown, or no projection has a
            low-rank part to adapt.
    """
    if layout not in LAYOUTS:
        raise unknown_name("layout", layout, LAYOUTS)
    if layout == "dense":
        export_dense(_opened(artifact), Path(out), dtype=dtype, progress=progress)
    else:
        export_adapter(_opened(artifact), Path(out), progress=progress)
    return Path(out)


def _method(
    name: str,
    kept_fraction: float | None,
    rank_share: float | None,
    settings: Mapping[str, Any] | None,
) -> Method:
    shares = {"kept_fraction": kept_fraction, "rank_share": rank_share}
    given = {key: value for key, value in shares.items() if value is not None}
    return load_method(name, given | dict(settings or {}))


def _choice(include: Patterns, exclude: Patterns, overrides: Overrides | None) -> Choice:
    if isinstance(overrides, Mapping):
        tables = tuple(Override(pattern, table) for pattern, table in overrides.items())
    else:
        tables = () if overrides is None else read_overrides(Path(overrides))
    return Choice(_several(include), _several(exclude), tables)


def _several(texts: Patterns) -> tuple[str, ...]:
    return (texts,) if isinstance(texts, str) else tuple(texts)


def _opened(artifact: str | Path | Artifact) -> Artifact:
    return artifact if isinstance(artifact, Artifact) else open_artifact(Path(artifact))
