"""The CUDA C++ kernel over delta-4 (``delta4.cu``): S x + U (Vᵀ x) in one launch.

Compiled at run time for each token count and launch shape, by ``cuda_driver``.
"""

import ctypes
import functools
from dataclasses import dataclass
from importlib import resources

import torch
from torch import Tensor

from sslc.runtime.cuda_driver import Kernel, compile_cubin, launch, load_kernel
from sslc.runtime.gpu_operands import GpuOperands, check_tokens

LANES = 32
SHARED_BYTES = 220 * 1024  # of the 227 KiB that a block can have on compute capability 9.0


@dataclass(frozen=True)
class LaunchShape:
    """How the kernel is compiled and launched.

    Attributes:
        warps: Of a block.
        unroll: Steps of a row in flight at once.
        blocks: Blocks that a multiprocessor should have room for: bounds the registers of a thread.
        resident: Blocks of the grid for each multiprocessor; room beyond them is for the start of
            the next launch.
    """

    warps: int
    unroll: int
    blocks: int
    resident: int


FEW_TOKENS = LaunchShape(warps=16, unroll=4, blocks=2, resident=2)
MANY_TOKENS = LaunchShape(warps=32, unroll=2, blocks=1, resident=1)


class _Operands(ctypes.Structure):
    _fields_ = (
        *((name, ctypes.c_void_p) for name in (
            "values", "codes", "starts", "row_chunks", "x", "v", "u", "bias", "projected",
            "arrived", "y",
        )),
        *((name, ctypes.c_int) for name in (
            "rows", "columns", "padded_columns", "rank", "padded_rank", "tokens", "full_output",
        )),
    )  # fmt: skip


@dataclass(frozen=True)
class CudaProduct:
    """One projection's kernel, compiled, with its workspace: a product at a time.

    Attributes:
        operands: The projection.
        tokens: Of one launch; more take several.
        shape: How the kernel was compiled.
        kernel: The kernel on the device.
        blocks: Of the grid: all are on the device at once.
        projected: Vᵀ x, written and read by each launch.
        arrived: The launch's two counters, zero between launches.
    """

    operands: GpuOperands
    tokens: int
    shape: LaunchShape
    kernel: Kernel
    blocks: int
    projected: Tensor
    arrived: Tensor

    def multiply(self, x: Tensor, *, y: Tensor | None = None, overlap: bool = False) -> Tensor:
        """y = S x + U (Vᵀ x) + bias.

        Args:
            x: tokens × n, contiguous.
            y: tokens × m in the operands' dtype or fp32; a new tensor by default.
            overlap: Whether each launch may begin while the kernel before it ends. It waits before
                it reads x, but it reads the weights early: nothing may be writing them.

        Returns:
            y.

        Raises:
            InputError: x does not fit.
        """
        check_tokens(self.operands, x)
        if y is None:
            y = torch.empty(x.shape[0], self.operands.rows, dtype=x.dtype, device=x.device)
        stream = torch.cuda.current_stream(x.device).cuda_stream
        for start in range(0, x.shape[0], self.tokens):
            part = slice(start, start + self.tokens)
            fields = self._fields(x[part], y[part])
            launch(
                self.kernel,
                fields,
                blocks=self.blocks,
                threads=self.shape.warps * LANES,
                stream=stream,
                overlap=overlap,
            )
        return y

    def _fields(self, x: Tensor, y: Tensor) -> _Operands:
        """The kernel's argument."""
        o = self.operands
        tensors = (
            o.values, o.codes, o.starts, o.row_chunks, x, o.v, o.u, o.bias, self.projected,
            self.arrived, y,
        )  # fmt: skip
        pointers = (None if tensor is None else tensor.data_ptr() for tensor in tensors)
        full = int(y.dtype == torch.float32)
        sizes = (o.rows, o.columns, o.padded_columns, o.rank, o.padded_rank, x.shape[0], full)
        return _Operands(*pointers, *sizes)


def prepare_product(
    operands: GpuOperands, tokens: int, *, shape: LaunchShape | None = None
) -> CudaProduct:
    """Compile and load the kernel for a projection.

    Args:
        operands: The projection, on a CUDA device.
        tokens: Tokens of a product, 1 to 16.
        shape: How to launch; a shape that suits the tokens by default.

    Returns:
        The kernel, ready to multiply.

    Raises:
        InputError: There is no compiler, or the driver refuses.
    """
    device = operands.values.device
    at_once = tokens_of_launch(operands, tokens)
    shape = shape or (FEW_TOKENS if at_once <= 4 else MANY_TOKENS)
    shared = _shared_bytes(operands, at_once)
    major, minor = torch.cuda.get_device_capability(device)
    cubin = kernel_cubin(
        at_once, shape, operands.dtype == torch.float16, architecture=f"sm_{major}{minor}"
    )
    kernel = load_kernel(cubin, "delta4_product", threads=shape.warps * LANES, shared_bytes=shared)
    multiprocessors = torch.cuda.get_device_properties(device).multi_processor_count
    blocks = multiprocessors * min(shape.resident, kernel.blocks_per_sm)
    projected = torch.zeros(at_once, max(1, operands.padded_rank), device=device)
    arrived = torch.zeros(2, dtype=torch.int32, device=device)
    return CudaProduct(operands, at_once, shape, kernel, blocks, projected, arrived)


@functools.cache
def kernel_cubin(
    tokens: int, shape: LaunchShape, half: bool, *, architecture: str = "sm_90"
) -> bytes:
    """The kernel's machine code.

    Args:
        tokens: 1, 2, 4, 8 or 16.
        shape: How it is launched.
        half: Whether values, factors and x are fp16 rather than bf16.
        architecture: The chip to compile for, ``sm_90`` or later.

    Returns:
        The cubin.
    """
    source = resources.files("sslc.runtime").joinpath("delta4.cu").read_text()
    options = [
        f"-DTOKENS={tokens}",
        f"-DWARPS={shape.warps}",
        f"-DUNROLL={shape.unroll}",
        f"-DBLOCKS={shape.blocks}",
    ]
    return compile_cubin(source, options + ["-DHALF"] * half, architecture=architecture)


def tokens_of_launch(operands: GpuOperands, tokens: int) -> int:
    """Tokens of one launch: a power of two whose x and Vᵀ x fit into shared memory."""
    at_once = 1 << (tokens - 1).bit_length()
    while at_once > 1 and _shared_bytes(operands, at_once) > SHARED_BYTES:
        at_once //= 2
    return at_once


def _shared_bytes(operands: GpuOperands, tokens: int) -> int:
    """Dynamic shared memory of a block: x in fp32 for one token, else in 16 bits; Vᵀ x in fp32."""
    column = 4 if tokens == 1 else 2 * tokens
    return operands.padded_columns * column + 4 * tokens * operands.padded_rank
