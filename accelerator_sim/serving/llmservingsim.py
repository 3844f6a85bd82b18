"""A profile bundle for LLMServingSim: per-layer times that it schedules requests over.

The form is that of its page "Output bundle" and of its reader ``serving/core/trace_generator.py``
(Cho et al., casys-kaist/LLMServingSim, after tag v1.1.0, commit 5daddb2): ``meta.yaml``, and
``dense.csv``, ``per_sequence.csv`` and ``attention.csv`` for one device (``tp1``), microseconds.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from accelerator_sim.machine.catalog import DEFAULT_COSTS, load_cost_table, named_machine
from accelerator_sim.machine.hardware import Accelerator
from accelerator_sim.machine.identity import changes_of, machine_identity
from accelerator_sim.models.by_name import Model
from accelerator_sim.serving.layer_profile import LayerProfile, Sizes, profile_layers
from accelerator_sim.serving.phases import Setting
from accelerator_sim.serving.whole import MIN_SAMPLES, check_served
from accelerator_sim.sources import Simulated, Source, block_count, open_source
from workloads.results.codec import to_json
from workloads.results.envelope import safe_name
from workloads.results.identity import Subject, version
from workloads.shapes.gemm import MOST_TOKENS
from workloads.support.errors import check_count
from workloads.support.files import write_atomic
from workloads.support.progress import Progress, silent

FORMAT_VERSION = "LLMServingSim v1.1.0, commit 5daddb2"
_US_PER_SECOND = 1e6
_Time = Callable[[float], str]


def export_llmservingsim(
    source: Simulated | Source,
    out: str | Path,
    accelerator: str | Path | Accelerator = "array-64x64",
    *,
    model: Model = "compiled",
    max_tokens: int = 2048,
    max_sequences: int = 256,
    max_context: int = 16384,
    blocks: int | None = None,
    kv_bits: int | None = None,
    variant: str = "bf16",
    overrides: Mapping[str, Any] | None = None,
    progress: Progress = silent,
) -> tuple[Path, ...]:
    """Write the times of a model's layers, dense and compressed, as LLMServingSim reads them.

    The files go to ``OUT/perf/HARDWARE/MODEL/VARIANT``; copy ``perf`` into its ``profiler``. The
    two runs are two machines, ``NAME-dense`` and ``NAME-compressed``, of the same model.

    Args:
        source: As for ``simulate_whole``.
        out: Directory; made if missing, files of the same names replaced.
        accelerator: As for ``simulate``.
        model: ``roofline``, ``event`` or ``compiled``.
        max_tokens: Of one pass, all sequences together; what lies between sizes is interpolated.
        max_sequences: In one pass.
        max_context: Tokens in the cache of a sequence.
        blocks: Simulate only the first so many; projections are the mean.
        kv_bits: Width of keys and values; by default that of activations.
        variant: Folder that LLMServingSim's ``--dtype`` resolves to; times do not depend on it.
        overrides: As for ``simulate``.
        progress: Told after every block, then after every part of a prompt.

    Returns:
        The files.

    Raises:
        InputError: As for ``simulate_whole``, or the blocks have other projections than
            LLMServingSim's layers.
    """
    check_served(model, MIN_SAMPLES)
    sizes = {"max_tokens": max_tokens, "max_sequences": max_sequences, "max_context": max_context}
    for name, value in {**sizes, "kv_bits": kv_bits}.items():
        check_count(name, value, MOST_TOKENS)
    machine = named_machine(accelerator, overrides)
    bits = kv_bits or machine.bits.activation
    setting = Setting(machine, load_cost_table(DEFAULT_COSTS), model, bits, 64, MIN_SAMPLES)
    opened, grid = open_source(source), Sizes(**sizes)
    count = block_count(opened, blocks)
    seen, profiles = profile_layers(opened, grid, setting=setting, blocks=count, progress=progress)
    changes = changes_of(accelerator, machine, overrides)
    label = safe_name(machine_identity(machine, changes).label)
    subject = opened.subject(seen.contents)
    files: dict[Path, bytes] = {}
    for run, profile in profiles.items():
        folder = Path("perf", f"{label}-{run}", safe_name(subject.model), safe_name(variant))
        meta = _meta(folder, grid, subject, {"machine": to_json(machine), "cycle_model": model})
        files[folder / "meta.yaml"] = json.dumps(meta, indent=1).encode()
        for name, rows in _tables(profile, grid, machine.clock_hz).items():
            files[folder / "tp1" / name] = "".join(f"{row}\n" for row in rows).encode()
    for path, data in files.items():
        (Path(out) / path).parent.mkdir(parents=True, exist_ok=True)
        write_atomic(Path(out) / path, data)
    return tuple(Path(out) / path for path in files)


def _tables(profile: LayerProfile, sizes: Sizes, clock_hz: int) -> dict[str, Iterator[str]]:
    """Lines of every file by its name."""

    def microseconds(cycles: float) -> str:
        return f"{cycles / clock_hz * _US_PER_SECOND:.6g}"

    return {
        "dense.csv": _dense(profile, sizes, microseconds),
        "per_sequence.csv": _per_sequence(profile, microseconds),
        "attention.csv": _attention(profile, sizes, microseconds),
    }


def _dense(profile: LayerProfile, sizes: Sizes, time: _Time) -> Iterator[str]:
    yield "layer,tokens,time_us"
    free = {name: dict.fromkeys(sizes.tokens, 0.0) for name in ("rotary_emb", "act_fn")}
    for layer, cycles in sorted({**profile.by_tokens, **free}.items()):
        yield from (f"{layer},{tokens},{time(cycles[tokens])}" for tokens in sizes.tokens)


def _per_sequence(profile: LayerProfile, time: _Time) -> Iterator[str]:
    yield "layer,sequences,time_us"
    yield from (f"lm_head,{count},{time(cycles)}" for count, cycles in profile.head.items())
    yield from (f"sampler,{count},0" for count in profile.head)


def _attention(profile: LayerProfile, sizes: Sizes, time: _Time) -> Iterator[str]:
    """A pass takes one sequence after the other, so that a mixed one costs the sum of its parts."""
    yield "prefill_chunk,kv_prefill,n_decode,kv_decode,time_us"
    prefill = {(0, 0): 0.0, **profile.prefill}
    decode = {(0, 0): 0.0} | {
        (count, history): count * cycles
        for count in sizes.sequences
        for history, cycles in profile.decode.items()
    }
    for (chunk, before), first in prefill.items():
        for (count, history), second in decode.items():
            if chunk or count:
                yield f"{chunk},{before},{count},{history},{time(first + second)}"


def _meta(
    folder: Path, sizes: Sizes, subject: Subject, origin: Mapping[str, Any]
) -> dict[str, Any]:
    """What ``meta.yaml`` says, as JSON, which is YAML: names and bounds, and where it is from."""
    _, hardware, model, variant = folder.parts
    return {
        "profiler_version": f"sslc {version()}",
        "format": FORMAT_VERSION,
        "vllm_version": "n/a",
        "gpu": "n/a",
        "hardware": hardware,
        "model": model,
        "variant": variant,
        "tp_degrees": [1],
        "engine_effective": {
            "max_num_batched_tokens": sizes.max_tokens,
            "max_num_seqs": sizes.max_sequences,
        },
        "simulated": {**origin, "subject": to_json(subject)},
    }
