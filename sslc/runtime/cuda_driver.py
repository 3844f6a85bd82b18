"""CUDA C++ without a build step: compile at run time, load, launch; nothing but ctypes.

NVRTC comes with torch's CUDA wheels, the driver with the machine; torch owns context and streams.
"""

import ctypes
import importlib.util
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from workloads.support.errors import InputError

_OVERLAP_LAUNCHES = 6  # CU_LAUNCH_ATTRIBUTE_PROGRAMMATIC_STREAM_SERIALIZATION
_LARGEST_SHARED = 8  # CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES


class _Attribute(ctypes.Structure):
    _fields_ = (("id", ctypes.c_int), ("pad", ctypes.c_int), ("value", ctypes.c_uint32 * 16))


class _Launch(ctypes.Structure):
    _fields_ = (
        ("grid", ctypes.c_uint * 3),
        ("block", ctypes.c_uint * 3),
        ("shared_bytes", ctypes.c_uint),
        ("stream", ctypes.c_void_p),
        ("attributes", ctypes.POINTER(_Attribute)),
        ("attribute_count", ctypes.c_uint),
    )


@dataclass(frozen=True)
class Kernel:
    """A loaded kernel.

    Attributes:
        handle: CUfunction.
        shared_bytes: Dynamic shared memory of each block.
        blocks_per_sm: Blocks that one multiprocessor holds at once.
    """

    handle: int
    shared_bytes: int
    blocks_per_sm: int


def compile_cubin(source: str, options: Sequence[str], *, architecture: str = "sm_90") -> bytes:
    """Machine code of a CUDA C++ source.

    Args:
        source: The text; it includes nothing.
        options: Compiler options, such as ``-DTOKENS=1``.
        architecture: The chip to compile for.

    Returns:
        The cubin.

    Raises:
        InputError: Neither NVRTC nor nvcc is there, or the source does not compile.
    """
    library = _nvrtc()
    if library is not None:
        return _compile_with_nvrtc(library, source, [f"-arch={architecture}", *options])
    if shutil.which("nvcc") is None:
        raise InputError("CUDA kernels need NVRTC (it comes with torch for CUDA) or nvcc on PATH")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "kernel.cu"
        path.write_text(source)
        cubin = path.with_suffix(".cubin")
        command = ["nvcc", "-cubin", f"-arch={architecture}", *options, "-o", str(cubin), str(path)]
        outcome = subprocess.run(command, capture_output=True, text=True, check=False)
        if outcome.returncode:
            raise InputError(f"nvcc refused the kernel: {outcome.stderr.strip()}")
        return cubin.read_bytes()


def has_compiler() -> bool:
    """Whether CUDA C++ can be compiled here."""
    return _nvrtc() is not None or shutil.which("nvcc") is not None


def load_kernel(cubin: bytes, name: str, *, threads: int, shared_bytes: int) -> Kernel:
    """Load one kernel into the current context.

    Args:
        cubin: Machine code.
        name: The kernel's unmangled name.
        threads: Of a block.
        shared_bytes: Dynamic shared memory of a block.

    Returns:
        The kernel, ready to launch.

    Raises:
        InputError: The driver refuses it.
    """
    driver = _driver()
    module, function, blocks = ctypes.c_void_p(), ctypes.c_void_p(), ctypes.c_int()
    _check(driver.cuModuleLoadData(ctypes.byref(module), cubin), "load the kernel's module")
    _check(
        driver.cuModuleGetFunction(ctypes.byref(function), module, name.encode()), f"find {name}"
    )
    _check(
        driver.cuFuncSetAttribute(function, _LARGEST_SHARED, shared_bytes),
        f"give {name} {shared_bytes} bytes of shared memory",
    )
    _check(
        driver.cuOccupancyMaxActiveBlocksPerMultiprocessor(
            ctypes.byref(blocks), function, threads, ctypes.c_size_t(shared_bytes)
        ),
        f"count the blocks of {name}",
    )
    return Kernel(int(function.value or 0), shared_bytes, blocks.value)


def launch(
    kernel: Kernel,
    operands: ctypes.Structure,
    *,
    blocks: int,
    threads: int,
    stream: int,
    overlap: bool,
) -> None:
    """Launch a kernel that takes one structure.

    Args:
        kernel: What to launch.
        operands: Its argument.
        blocks: Of the grid.
        threads: Of a block.
        stream: CUstream.
        overlap: Whether the kernel may start while the one before it ends; it then waits by itself.

    Raises:
        InputError: The driver refuses the launch.
    """
    attribute = _Attribute(_OVERLAP_LAUNCHES, 0, (ctypes.c_uint32 * 16)(1))
    config = _Launch(
        (ctypes.c_uint * 3)(blocks, 1, 1),
        (ctypes.c_uint * 3)(threads, 1, 1),
        kernel.shared_bytes,
        stream,
        ctypes.pointer(attribute),
        int(overlap),
    )
    arguments = (ctypes.c_void_p * 1)(ctypes.addressof(operands))
    handle = ctypes.c_void_p(kernel.handle)
    outcome = _driver().cuLaunchKernelEx(ctypes.byref(config), handle, arguments, None)
    _check(outcome, "launch the kernel")


def _driver() -> ctypes.CDLL:
    return ctypes.CDLL("libcuda.so.1")


def _check(code: int, what: str) -> None:
    """Raise on a driver error."""
    if code:
        name = ctypes.c_char_p()
        _driver().cuGetErrorName(code, ctypes.byref(name))
        raise InputError(f"the CUDA driver cannot {what}: {(name.value or b'?').decode()}")


def _nvrtc() -> ctypes.CDLL | None:
    """NVRTC from the system's path or from torch's CUDA wheels; None where it is not there."""
    package = importlib.util.find_spec("nvidia")
    roots = list(package.submodule_search_locations or []) if package else []
    wheels = [str(path) for root in roots for path in Path(root).glob("*/lib/libnvrtc.so.*")]
    plain = [path for path in sorted(wheels, reverse=True) if ".alt." not in path]
    for name in (*plain, "libnvrtc.so.13", "libnvrtc.so.12", "libnvrtc.so"):
        try:
            return ctypes.CDLL(name)
        except OSError:
            continue
    return None


def _compile_with_nvrtc(library: ctypes.CDLL, source: str, options: list[str]) -> bytes:
    """Machine code by NVRTC."""
    program, size = ctypes.c_void_p(), ctypes.c_size_t()
    library.nvrtcCreateProgram(ctypes.byref(program), source.encode(), b"kernel.cu", 0, None, None)
    texts = (ctypes.c_char_p * len(options))(*(option.encode() for option in options))
    failed = library.nvrtcCompileProgram(program, len(options), texts)
    get_size, get = library.nvrtcGetCUBINSize, library.nvrtcGetCUBIN
    if failed:
        get_size, get = library.nvrtcGetProgramLogSize, library.nvrtcGetProgramLog
    get_size(program, ctypes.byref(size))
    text = ctypes.create_string_buffer(size.value)
    get(program, text)
    library.nvrtcDestroyProgram(ctypes.byref(program))
    if failed:
        raise InputError(f"NVRTC refused the kernel: {text.value.decode(errors='replace').strip()}")
    return text.raw
