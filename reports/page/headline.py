"""The first screen: what was compressed, how, on what machine; the numbers that matter."""

from collections.abc import Sequence
from dataclasses import dataclass

from accelerator_sim.models.cycles_result import SIMULATED, CyclesResult
from reports.page.parts import Number
from reports.stored.material import Material
from reports.tables.side_by_side import OURS
from workloads.results.identity import DENSE, Subject, method_labels
from workloads.results.kinds import PerplexityResult
from workloads.results.runtime import BackendRuntime, RuntimeResult, best
from workloads.support.wording import counted

_GIGA, _MEGA, _US = 1e9, 1e6, 1e6


@dataclass(frozen=True)
class MeasuredSpeedup:
    """The fastest dense product beside our fastest compressed one, of a whole block.

    Attributes:
        result: Where it was measured.
        tokens: In a call.
        dtype: Of weights and activations.
        dense: The fastest, whoever's it is.
        compressed: Our fastest.
    """

    result: RuntimeResult
    tokens: int
    dtype: str
    dense: BackendRuntime
    compressed: BackendRuntime

    @property
    def speedup(self) -> float:
        """By lower quartiles, which other work on the machine disturbs least."""
        return self.dense.lower_quartile_seconds / self.compressed.lower_quartile_seconds


@dataclass(frozen=True)
class Headline:
    """One compressed model with what is known of it.

    Attributes:
        subject: The model.
        label: Its method, as rows call it.
        perplexity: Measured; None where it was not.
        dense_perplexity: Of the same model on the same text, not compressed.
        cycles: Simulated on the first machine; None where nothing was.
        measured: On a device; None where nothing was.
    """

    subject: Subject
    label: str
    perplexity: PerplexityResult | None
    dense_perplexity: PerplexityResult | None
    cycles: CyclesResult | None
    measured: MeasuredSpeedup | None


def headline(material: Material) -> Headline | None:
    """The compressed model that most is known about, the last one of equals; None without any."""
    models = subjects(material)
    if not models:
        return None
    labels = dict(zip(models, method_labels(list(models.values())), strict=True))
    all_of_them = [_of(material, subject, labels[sha]) for sha, subject in models.items()]
    return max(enumerate(all_of_them), key=lambda pair: (_known(pair[1]), pair[0]))[1]


def _known(one: Headline) -> int:
    """How much there is to say."""
    return sum(part is not None for part in (one.perplexity, one.cycles, one.measured))


def subjects(material: Material) -> dict[str, Subject]:
    """Compressed models by hash, in the order of their results.

    Args:
        material: Where to look.
    """
    kinds = (PerplexityResult, CyclesResult, RuntimeResult)
    having = [result.identity.subject for result in material.results if isinstance(result, kinds)]
    return {subject.sha256: subject for subject in having if subject.method != DENSE}


def _of(material: Material, subject: Subject, label: str) -> Headline:
    perplexities = [r for r in material.results if isinstance(r, PerplexityResult)]
    own = [r for r in perplexities if r.identity.subject.sha256 == subject.sha256]
    first = own[0] if own else None
    return Headline(
        subject,
        label,
        first,
        _dense_beside(perplexities, first),
        simulated(material, subject),
        measured_speedup(material, subject),
    )


def _dense_beside(
    results: Sequence[PerplexityResult], own: PerplexityResult | None
) -> PerplexityResult | None:
    """Of the same model and over the same tokens of the same text."""
    if own is None:
        return None
    text = own.identity.text
    for result in results:
        about = result.identity
        same = (about.subject.model, about.text) == (own.identity.subject.model, text)
        if same and about.subject.method == DENSE:
            return result
    return None


def simulated(material: Material, subject: Subject) -> CyclesResult | None:
    """Simulated cycles of a model: of the fewest tokens, without attention where there is a choice.

    Args:
        material: Where to look.
        subject: The model.
    """
    found = [
        result
        for result in material.results
        if isinstance(result, CyclesResult)
        and result.identity.cycle_model in SIMULATED
        and result.identity.subject.sha256 == subject.sha256
    ]
    return min(
        found,
        key=lambda r: (r.identity.workload.context or 0, r.identity.workload.tokens),
        default=None,
    )


def block_speedup(result: CyclesResult) -> float | None:
    """Dense over compressed cycles of whole blocks; None where there is nothing to do."""
    parts = result.total.values()
    compressed = sum(part.sum_cycles for part in parts)
    if not compressed or not any(part.has_work for part in parts):
        return None
    return sum(part.dense_cycles for part in parts) / compressed


def measured_speedup(material: Material, subject: Subject) -> MeasuredSpeedup | None:
    """Measured runtimes of a model's whole blocks at the fewest tokens; None where there are none.

    Args:
        material: Where to look.
        subject: The model.
    """
    for result in material.results:
        if not isinstance(result, RuntimeResult):
            continue
        if result.identity.subject.sha256 != subject.sha256 or not result.projections:
            continue
        tokens, dtype = min((entry.tokens, entry.dtype) for entry in result.projections)
        totals = result.totals(None, tokens=tokens, dtype=dtype)
        ours = [one for one in totals if one.backend.startswith(OURS)]
        dense, compressed = best(totals, "dense"), best(ours, "compressed")
        if dense is not None and compressed is not None:
            return MeasuredSpeedup(result, tokens, dtype, dense, compressed)
    return None


def lead(one: Headline) -> tuple[str, str]:
    """Two sentences: what was compressed and how; on what machines it ran."""
    return _compressed(one), _ran(one)


def _compressed(one: Headline) -> str:
    subject = one.subject
    settings = subject.settings
    how = f"the method {one.label}"
    calibration = settings.get("calibration", {})
    on = f", calibrated on the text {calibration['source']}" if "source" in calibration else ""
    return (
        f"{subject.model} was compressed by {how} to {100 * subject.kept_fraction:.4g}% of the "
        f"parameters of its projections{on}."
    )


def _ran(one: Headline) -> str:
    parts = []
    if one.cycles is not None:
        identity = one.cycles.identity
        parts.append(
            f"its {identity.subject.masks} masks ran on the simulated machine "
            f"{_machine(one.cycles)}, {counted(identity.workload.tokens, 'token')} at a time"
        )
    if one.measured is not None:
        device = one.measured.result.identity.device.label
        parts.append(f"its runtime was measured on {device}")
    if not parts:
        return "It was neither simulated nor measured yet."
    sentence = "; ".join(parts)
    return f"{sentence[0].upper()}{sentence[1:]}."


def _machine(result: CyclesResult) -> str:
    identity = result.identity.machine
    fields = identity.fields
    return (
        f"{identity.label} ({fields['lines']} lines of {fields['macs_per_line']} MACs, "
        f"{fields['clock_hz'] / _MEGA:,.0f} MHz, {fields['dram']['bytes_per_second'] / _GIGA:,.4g} "
        f"GB/s of DRAM, {identity.bits} bits of weights, factors and activations)"
    )


def numbers(one: Headline) -> tuple[Number, Number, Number]:
    """Perplexity, simulated speedup and measured speedup, each with its provenance."""
    return _perplexity(one), _simulated(one), _measured(one)


def _perplexity(one: Headline) -> Number:
    own, dense = one.perplexity, one.dense_perplexity
    if own is None:
        return Number("Perplexity", None, "", "sslc evaluate DIR measures it.")
    against = "" if dense is None else f"dense: {dense.perplexity:.2f}; "
    return Number(
        "Perplexity",
        f"{own.perplexity:.2f}",
        "measured",
        f"{against}over {counted(own.predicted_tokens, 'token')} of the text "
        f"{own.identity.text.source}, {own.identity.dtype}; less is better",
    )


def _simulated(one: Headline) -> Number:
    result = one.cycles
    speedup = None if result is None else block_speedup(result)
    if result is None or speedup is None:
        return Number("Simulated speedup", None, "", "sslc simulate DIR gives it.")
    modules = ", ".join(
        f"{module} {mean.speedup:.2f}"
        for module, mean in result.mean_per_block.items()
        if mean.speedup
    )
    work = result.identity.workload
    return Number(
        "Simulated speedup over dense",
        f"{speedup:.2f}×",
        result.basis,
        f"{modules}; {counted(work.blocks, 'block')}, {counted(work.tokens, 'token')}, "
        f"{result.identity.subject.masks} masks, on {result.identity.machine.label}",
    )


def _measured(one: Headline) -> Number:
    found = one.measured
    if found is None:
        return Number("Measured speedup", None, "", "sslc measure DIR takes it.")
    return Number(
        "Measured speedup over dense",
        f"{found.speedup:.2f}×",
        "measured",
        f"{found.dense.lower_quartile_seconds * _US:,.0f} to "
        f"{found.compressed.lower_quartile_seconds * _US:,.0f} us a block, "
        f"{counted(found.tokens, 'token')}, {found.dtype}, on "
        f"{found.result.identity.device.label}; below 1 is a slowdown",
    )
