"""Measuring a source: every projection, dtype and number of tokens, by every candidate at once."""

import functools
import importlib.metadata
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import torch

from reports.measuring.backends import CANDIDATES, Candidate
from reports.measuring.clock import Call, Seconds
from reports.measuring.memory import copies_needed
from reports.measuring.operands import DTYPES, MeasuredSource, Operands
from reports.measuring.prepared import Prepared, Setting
from reports.measuring.sites import Site, open_site
from workloads.results.identity import provenance
from workloads.results.runtime import (
    BackendRuntime,
    NotMeasured,
    ProjectionRuntime,
    RuntimeIdentity,
    RuntimeResult,
)
from workloads.support.errors import InputError, unknown_name
from workloads.support.progress import Progress, silent

DEFAULT_TOKENS = (1, 128)
_LIBRARIES = ("torch", "numba", "llvmlite", "triton", "onnxruntime")
_REASON_LENGTH = 160


def measure_source(
    source: MeasuredSource,
    *,
    tokens: Sequence[int] = DEFAULT_TOKENS,
    dtypes: Sequence[str] = ("bf16",),
    backends: Sequence[str] | None = None,
    device: torch.device,
    threads: int | None = None,
    seconds: float = 0.1,
    progress: Progress = silent,
) -> RuntimeResult:
    """Measure every projection of a source.

    Args:
        source: The projections.
        tokens: Numbers of tokens; repeated ones are measured once.
        dtypes: ``bf16``, ``fp32`` or ``int8``, likewise.
        backends: Names of candidates; None for all of the device.
        device: Where.
        threads: On a processor; torch's number for None.
        seconds: Measuring time of each candidate on a processor.
        progress: Told after every projection.

    Raises:
        InputError: A name is unknown or a number of tokens is below 1.
    """
    counts = tuple(sorted(set(tokens)))
    if not counts or counts[0] < 1:
        raise InputError(f"tokens must be at least 1, got {list(tokens)}")
    for dtype in dtypes:
        if dtype not in DTYPES:
            raise unknown_name("dtype", dtype, DTYPES)
    candidates = _candidates(backends, device)
    used = 1 if device.type == "cuda" else threads or torch.get_num_threads()
    with _threads(used), torch.inference_mode():
        site = open_site(device, threads=used, seconds=seconds)
        bench = _Bench(site, candidates)
        progress("measure", 0, source.count)
        runtimes: list[ProjectionRuntime] = []
        for done, operands in enumerate(source.projections(), start=1):
            for dtype in dict.fromkeys(dtypes):
                runtimes += bench.measure(operands, dtype, counts)
            progress("measure", done, source.count)
    identity = RuntimeIdentity(
        subject=source.subject(),
        blocks=source.blocks,
        tokens=counts,
        dtypes=tuple(dict.fromkeys(dtypes)),
        backends=tuple(candidate.name for candidate in candidates),
        device=site.identity,
        libraries=_libraries(),
    )
    origin = provenance(device=site.identity.name, threads=used)
    missing = tuple(NotMeasured(*pair) for pair in bench.missing)
    return RuntimeResult(identity, origin, site.limits, tuple(runtimes), missing)


def _candidates(names: Sequence[str] | None, device: torch.device) -> list[Candidate]:
    """Those of a device by name, dense ones always among them, for there is no ratio without."""
    known = {candidate.name: candidate for candidate in CANDIDATES}
    for name in names or ():
        if name not in known:
            raise unknown_name("backend", name, known)
    return [
        candidate
        for candidate in CANDIDATES
        if device.type in candidate.devices
        and (names is None or candidate.name in names or candidate.product == "dense")
    ]


@contextmanager
def _threads(count: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


class _Bench:
    """A site, its candidates, and what could not be measured, with its reason."""

    def __init__(self, site: Site, candidates: Sequence[Candidate]) -> None:
        self._site = site
        self._candidates = candidates
        self.missing: dict[tuple[str, str], None] = {}

    def measure(
        self, operands: Operands, dtype: str, tokens: Sequence[int]
    ) -> Iterator[ProjectionRuntime]:
        """One projection at each number of tokens; copies are made once."""
        prepared: dict[str, Prepared] = {}
        for count in tokens:
            setting = Setting(self._site.device, dtype, count, self._site.identity.threads)
            generator = torch.Generator().manual_seed(0)
            x = torch.randn(count, operands.gemm.n, generator=generator)
            x = x.to(setting.device, DTYPES[dtype])
            calls = self._calls(operands, setting, x, prepared)
            eager = frozenset(c.name for c in self._candidates if not c.captured)
            times = self._site.timed(calls, eager) if calls else {}
            yield ProjectionRuntime(
                block=operands.block,
                name=operands.gemm.name,
                module=operands.gemm.module,
                m=operands.gemm.m,
                n=operands.gemm.n,
                rank=operands.rank,
                nonzeros=len(operands.values),
                tokens=count,
                dtype=dtype,
                runtimes=tuple(
                    _runtime(candidate, prepared[candidate.name], times[candidate.name])
                    for candidate in self._candidates
                    if candidate.name in times
                ),
            )

    def _calls(
        self, operands: Operands, setting: Setting, x: torch.Tensor, prepared: dict[str, Prepared]
    ) -> dict[str, list[Call]]:
        """Calls of every candidate that can run; the others say why not."""
        least = self._site.limits.rotation_bytes
        copies = functools.partial(copies_needed, rotation_bytes=least)
        calls = {}
        for candidate in self._candidates:
            availability = candidate.availability(setting)
            if not availability.available:
                self.missing[candidate.name, availability.reason] = None
                continue
            try:
                if candidate.name not in prepared:
                    prepared[candidate.name] = candidate.prepare(operands, setting, copies)
                own = prepared[candidate.name].calls(x)
                own[0]()
            except (RuntimeError, InputError) as error:
                reason = " ".join(str(error).split())[:_REASON_LENGTH]
                self.missing[candidate.name, reason] = None
                continue
            calls[candidate.name] = own
        return calls


def _runtime(candidate: Candidate, prepared: Prepared, seconds: Seconds) -> BackendRuntime:
    low, median, high = (float(q) for q in np.quantile(seconds, (0.25, 0.5, 0.75)))
    return BackendRuntime(
        candidate.name, candidate.product, prepared.weight_bytes, median, low, high, len(seconds)
    )


def _libraries() -> dict[str, str]:
    """Versions of what may run, of those that are installed."""
    versions = {}
    for name in _LIBRARIES:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return versions
