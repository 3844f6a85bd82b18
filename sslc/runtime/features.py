"""Which kernels the host's processor can run. Below every CPU kernel: nothing else asks the host.

``SSLC_CPU_FEATURES`` set to ``none``, ``avx2``, ``avx512`` or ``avx512bf16`` lowers what is found
to that level, so that tests can see the program on a lesser machine; it never raises it.
"""

import functools
import os
import platform
from dataclasses import dataclass

import llvmlite.binding as llvm

from workloads.support.errors import InputError

VARIABLE = "SSLC_CPU_FEATURES"
"""Environment variable that lowers the level of the host."""

_AVX2 = frozenset({"avx2", "fma", "bmi", "bmi2", "f16c", "lzcnt", "movbe", "popcnt"})
_AVX512 = _AVX2 | {f"avx512{name}" for name in ("f", "cd", "bw", "dq", "vl", "vbmi2", "vnni")}


@dataclass(frozen=True)
class Level:
    """A set of instructions that kernels are written for.

    Attributes:
        name: As in ``SSLC_CPU_FEATURES``.
        features: LLVM's names of what the host must have.
        cpu: LLVM's processor whose instructions are used.
        extra: What is used beyond that processor.
        lanes: fp32 numbers in a vector.
        multiplies_bf16: Whether bf16 x is multiplied as it is.
    """

    name: str
    features: frozenset[str]
    cpu: str
    extra: str
    lanes: int
    multiplies_bf16: bool

    @property
    def expands(self) -> bool:
        """Whether an instruction reads a bitmap, where AVX2 needs a table."""
        return "avx512vbmi2" in self.features


_EXTRA = "+avx512vbmi2,+avx512vnni,-prefer-256-bit,-false-deps-popcnt"
AVX2 = Level("avx2", _AVX2, "x86-64-v3", "", 8, False)
AVX512 = Level("avx512", _AVX512, "x86-64-v4", _EXTRA, 16, False)
AVX512_BF16 = Level(
    "avx512bf16", _AVX512 | {"avx512bf16"}, "x86-64-v4", f"{_EXTRA},+avx512bf16", 16, True
)
LEVELS = (AVX2, AVX512, AVX512_BF16)
"""Lowest first."""


@dataclass(frozen=True)
class Availability:
    """Whether something can run here, and why not."""

    available: bool
    reason: str = ""


class NotAvailableError(RuntimeError):
    """What was asked for cannot run on this machine; the message says what is missing."""


@functools.cache
def host_features() -> frozenset[str]:
    """LLVM's names of the features that this processor and its operating system offer.

    None but on Linux and x86-64, for whose calling convention the kernels are compiled.
    """
    if (platform.system(), platform.machine()) != ("Linux", "x86_64"):
        return frozenset()
    return frozenset(name for name, has in llvm.get_host_cpu_features().items() if has)


def host_level() -> Level | None:
    """The highest level of this host, lowered by ``SSLC_CPU_FEATURES``; None below AVX2.

    Raises:
        InputError: If the variable has a value that is not the name of a level, or none.
    """
    return _level(os.environ.get(VARIABLE, AVX512_BF16.name), host_features())


@functools.cache
def _level(hidden: str, host: frozenset[str]) -> Level | None:
    names = ["none", *(level.name for level in LEVELS)]
    if hidden not in names:
        raise InputError(f"{VARIABLE} is {hidden!r}: set it to one of {', '.join(names)}")
    allowed = LEVELS[: names.index(hidden)]
    return next((level for level in reversed(allowed) if level.features <= host), None)


def cpu_availability() -> Availability:
    """Whether the CPU kernels can run here."""
    if host_level() is None:
        return Availability(False, "needs AVX2")
    return Availability(True)


def required_level() -> Level:
    """The level to run kernels at.

    Raises:
        NotAvailableError: If this processor has no AVX2, or it is hidden.
    """
    level = host_level()
    if level is None:
        raise NotAvailableError("CPU kernels are not available: needs AVX2")
    return level
