"""Runtimes measured on the device at hand: by module, and by projection."""

from collections.abc import Iterable, Sequence

from reports.tables.labels import columns, split, versions
from workloads.results.identity import method_labels
from workloads.results.runtime import BackendRuntime, RuntimeResult, best
from workloads.results.table import Cell, Column, Table
from workloads.shapes.gemm import MODULES
from workloads.support.wording import counted

_US_PER_SECOND = 1e6
_BYTES_PER_GB = 1e9
_TITLE = "Measured runtime of one block by module"
_PROJECTIONS_TITLE = "Measured runtime of every projection"
_HEAD = tuple(Column(name) for name in ("Model", "Method", "Module", "Tokens", "Dtype"))
_NUMBERS = (
    Column("Backend"),
    Column("Runs"),
    Column("Time (us)", ",.1f"),
    Column("Quartiles (us)"),
    Column("Speedup", ".2f"),
    Column("Of medians", ".2f"),
    Column("Bytes bound", ".2f"),
    Column("Of bound", ".0%"),
    Column("GB/s", ",.1f"),
    Column("Of stream", ".0%"),
    Column("Verdict"),
)
_NOTES = (
    "Time: median over rounds in which every backend ran once, on copies that the last-level cache "
    "cannot hold together. Speedup: of the fastest dense product, whoever's it is, over this one, "
    "by lower quartiles, which other work on the machine disturbs least; below 1 is a slowdown.",
    "Bytes bound: the fewest bytes of a dense product over this one's. GB/s: bytes of weights "
    "over the lower quartile. 2:4: another matrix with two of four weights kept, for comparison.",
)


def runtime_table(results: Sequence[RuntimeResult]) -> Table:
    """Measured runtimes of one block by module (the mean over the measured blocks).

    Args:
        results: Of any models and devices; what differs gets a column.
    """
    varying, shared = _differences(results)
    rows: list[tuple[Cell, ...]] = []
    for index, (result, method) in enumerate(zip(results, _methods(results), strict=True)):
        more = tuple(cells[index] for cells in varying.values())
        for tokens, dtype in _settings(result):
            for module in MODULES:
                totals = result.totals(module, tokens=tokens, dtype=dtype)
                head = (result.identity.subject.model, method, module, tokens, dtype)
                rows += _rows(head, totals, result, more)
    notes = (*_devices(results), *_shared(shared), *_NOTES, *_missing(results), *_why_slow(results))
    return Table("runtime", _TITLE, (*_HEAD, *_NUMBERS, *columns(varying)), tuple(rows), notes)


def projection_runtime_table(results: Sequence[RuntimeResult]) -> Table:
    """Measured runtimes of every projection, with its shape.

    Args:
        results: As for ``runtime_table``.
    """
    varying, shared = _differences(results)
    rows: list[tuple[Cell, ...]] = []
    for index, (result, method) in enumerate(zip(results, _methods(results), strict=True)):
        more = tuple(cells[index] for cells in varying.values())
        for entry in result.projections:
            shape = (f"{entry.m}x{entry.n}", entry.rank, entry.nonzeros / (entry.m * entry.n))
            where = (result.identity.subject.model, method, entry.block, entry.name, *shape)
            rows += _rows((*where, entry.tokens, entry.dtype), entry.runtimes, result, more)
    heading = (
        *(Column(name) for name in ("Model", "Method", "Block", "Projection", "Shape", "Rank")),
        Column("S kept", ".1%"),
        *_HEAD[3:],
        *_NUMBERS,
        *columns(varying),
    )
    notes = (*_devices(results), *_shared(shared), *_NOTES)
    return Table("runtime-projections", _PROJECTIONS_TITLE, heading, tuple(rows), notes)


def _settings(result: RuntimeResult) -> list[tuple[int, str]]:
    return list(dict.fromkeys((entry.tokens, entry.dtype) for entry in result.projections))


def _methods(results: Sequence[RuntimeResult]) -> list[str]:
    return method_labels([result.identity.subject for result in results])


def _differences(
    results: Sequence[RuntimeResult],
) -> tuple[dict[str, Sequence[Cell]], dict[str, Cell]]:
    identities = [result.identity for result in results]
    return split(
        {
            "Device": [identity.device.label for identity in identities],
            "Libraries": [_libraries(result) for result in results],
            "Blocks": [", ".join(map(str, identity.blocks)) for identity in identities],
            "Version": versions([result.provenance for result in results]),
        }
    )


def _rows(
    head: tuple[Cell, ...],
    runtimes: Sequence[BackendRuntime],
    result: RuntimeResult,
    more: tuple[Cell, ...],
) -> Iterable[tuple[Cell, ...]]:
    dense = best(runtimes, "dense")
    least_bytes = min((one.weight_bytes for one in runtimes if one.product == "dense"), default=0)
    for one in runtimes:
        numbers = _numbers(one, dense, least_bytes, result=result)
        yield (*head, one.backend, _runs(one), *numbers, *more)


def _runs(one: BackendRuntime) -> str:
    return {"dense": "dense", "compressed": "S + U V^T", "2:4": "2:4"}[one.product]


def _numbers(
    one: BackendRuntime, dense: BackendRuntime | None, dense_bytes: int, *, result: RuntimeResult
) -> tuple[Cell, ...]:
    low, high = one.lower_quartile_seconds, one.upper_quartile_seconds
    us = (one.median_seconds * _US_PER_SECOND,)
    spread = f"{low * _US_PER_SECOND:,.1f} - {high * _US_PER_SECOND:,.1f}"
    rate = one.weight_bytes / low
    rates = (rate / _BYTES_PER_GB, rate / result.limits.stream_bytes_per_second)
    if dense is None:
        return (*us, spread, None, None, None, None, *rates, None)
    speedup = dense.lower_quartile_seconds / low
    of_medians = dense.median_seconds / one.median_seconds
    bound = dense_bytes / one.weight_bytes
    verdict = None if one.product == "dense" else "faster" if speedup > 1 else "slower"
    return (*us, spread, speedup, of_medians, bound, speedup / bound, *rates, verdict)


def _devices(results: Sequence[RuntimeResult]) -> list[str]:
    notes = []
    for result in results:
        stream = result.limits.stream_bytes_per_second / _BYTES_PER_GB
        notes.append(
            f"Measured on: {result.identity.device.label}; stream {stream:,.1f} GB/s in the same "
            f"run, load {result.limits.load:.1f} at its start."
        )
    return list(dict.fromkeys(notes))


def _shared(shared: dict[str, Cell]) -> list[str]:
    told = [f"{name}: {value}" for name, value in shared.items() if name != "Device"]
    return ["; ".join(told) + "."] if told else []


def _libraries(result: RuntimeResult) -> str:
    return ", ".join(f"{name} {version}" for name, version in result.identity.libraries.items())


def _missing(results: Sequence[RuntimeResult]) -> list[str]:
    reasons = dict.fromkeys(
        f"{one.backend} ({one.reason})" for result in results for one in result.not_measured
    )
    return [f"Not available: {'; '.join(reasons)}."] if reasons else []


def _why_slow(results: Sequence[RuntimeResult]) -> list[str]:
    """Why our kernels do not win at the fewest tokens, where they do not."""
    notes = []
    for result in results:
        for module in MODULES:
            tokens, dtype = _settings(result)[0]
            totals = result.totals(module, tokens=tokens, dtype=dtype)
            ours = best([one for one in totals if one.backend.startswith("kernel ")], "compressed")
            dense = best(totals, "dense")
            if (
                ours is None
                or dense is None
                or (ours.lower_quartile_seconds < dense.lower_quartile_seconds)
            ):
                continue
            notes.append(_reason(result, module, ours))
    return notes


def _reason(result: RuntimeResult, module: str, ours: BackendRuntime) -> str:
    call = result.limits.call_seconds or 0.0
    entries = [entry for entry in result.projections if entry.module == module]
    calls = len({(entry.block, entry.name) for entry in entries}) / len(
        {entry.block for entry in entries}
    )
    share = min(1.0, calls * call / ours.lower_quartile_seconds)
    return (
        f"{module} is not faster at {counted(entries[0].tokens, 'token')} here: a call takes "
        f"{call * _US_PER_SECOND:,.0f} us whatever it multiplies, {share:.0%} of the time of "
        f"{ours.backend}, beside {ours.weight_bytes / 1e6:,.2f} MB of weights."
    )
