"""Runtimes measured on the device at hand, by module."""

from collections.abc import Sequence

from reports.tables.labels import columns, split, versions
from workloads.results.identity import method_labels
from workloads.results.kinds import ProjectionRuntime, RuntimeResult
from workloads.results.table import Cell, Column, Table
from workloads.shapes.gemm import MODULES

_US_PER_SECOND = 1e6
_TITLE = "Measured runtime of one block by module"
_COLUMNS = (
    *(Column(name) for name in ("Model", "Method", "Module", "Tokens")),
    *(Column(f"{name} (us)", ",.1f") for name in ("Dense", "Sparse", "Low-rank", "Sum")),
    Column("Speedup", ".2f"),
    Column("Verdict"),
)


def runtime_table(results: Sequence[RuntimeResult]) -> Table:
    """Measured runtimes of one block by module (the mean over the measured blocks).

    Args:
        results: Of any models and devices; what differs gets a column.
    """
    identities = [result.identity for result in results]
    devices = [_device(result) for result in results]
    varying, shared = split(
        {
            "Device": devices,
            "Dtype": [identity.dtype for identity in identities],
            "S by": [identity.kernel for identity in identities],
            "Blocks": [", ".join(map(str, identity.blocks)) for identity in identities],
            "Version": versions([result.provenance for result in results]),
        }
    )
    rows: list[tuple[Cell, ...]] = []
    labels = method_labels([identity.subject for identity in identities])
    for index, (result, method) in enumerate(zip(results, labels, strict=True)):
        more = tuple(cells[index] for cells in varying.values())
        blocks = len({entry.block for entry in result.projections})
        for tokens in sorted({entry.tokens for entry in result.projections}):
            for module in MODULES:
                entries = [
                    e for e in result.projections if (e.tokens, e.module) == (tokens, module)
                ]
                if entries:
                    label = (result.identity.subject.model, method, module, tokens)
                    rows.append((*label, *_cells(entries, blocks), *more))
    notes = (
        *(f"Measured on: {device}." for device in sorted(set(devices))),
        "; ".join(f"{name}: {value}" for name, value in shared.items() if name != "Device") + ".",
        "Sparse is the product with S, Low-rank is U (V^T X); a speedup below 1 is a slowdown.",
    )
    return Table("runtime", _TITLE, (*_COLUMNS, *columns(varying)), tuple(rows), notes)


def _device(result: RuntimeResult) -> str:
    identity = result.identity
    libraries = ", ".join(f"{name} {version}" for name, version in identity.libraries.items())
    return f"{identity.device}, {identity.threads} threads, {libraries}"


def _cells(entries: Sequence[ProjectionRuntime], blocks: int) -> tuple[Cell, ...]:
    per_block = _US_PER_SECOND / blocks
    dense = sum(entry.dense_seconds for entry in entries) * per_block
    sparse = sum(entry.sparse_seconds for entry in entries) * per_block
    low_rank = sum(entry.low_rank_seconds for entry in entries) * per_block
    whole = sparse + low_rank
    verdict = "faster" if whole < dense else "slower"
    return (dense, sparse, low_rank, whole, dense / whole if whole else None, verdict)
