"""Ways to multiply, behind one interface: dense ones, and ones that run S + U Vᵀ.

A candidate says whether it can run, lays a projection out as often as it is asked to, and gives a
call for each copy. Another one is one more entry of ``CANDIDATES``.
"""

import functools
import warnings
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from reports.measuring.clock import Call
from reports.measuring.gpu_backends import own_dense_available, two_of_four, two_of_four_available
from reports.measuring.onnx_backend import onnx_available, onnx_dense, onnx_factorised
from reports.measuring.operands import DTYPES, Operands, quantized_dense
from reports.measuring.prepared import AVAILABLE, Copies, Prepared, Setting
from sslc.model.weights import to_numpy
from sslc.runtime.backends import BACKENDS, load_backend
from sslc.runtime.bitmap import VALUE_TYPES
from sslc.runtime.cpu import MAX_TOKENS, dense_matrix, multiply_dense
from sslc.runtime.features import Availability
from workloads.results.runtime import Product

_SEMI_STRUCTURED_TOKENS = 8


@dataclass(frozen=True)
class Candidate:
    """One way to multiply.

    Attributes:
        name: As tables call it.
        product: What it multiplies by.
        devices: Kinds of device that it is for.
        availability: Whether it can run here, and why not.
        prepare: Lays a projection out.
        captured: Whether a CUDA graph can hold its calls.
    """

    name: str
    product: Product
    devices: tuple[str, ...]
    availability: Callable[[Setting], Availability]
    prepare: Callable[[Operands, Setting, Copies], Prepared]
    captured: bool = True


def _own_dense_available(setting: Setting) -> Availability:
    if setting.device.type == "cuda":
        return own_dense_available(setting)
    if setting.tokens > MAX_TOKENS:
        return Availability(False, f"made for up to {MAX_TOKENS} tokens")
    return load_backend("cpu").availability()


def _own_dense(operands: Operands, setting: Setting, copies: Copies) -> Prepared:
    if setting.device.type == "cuda":
        return _on_each(_moved(operands.weight, setting), copies, _own_dense_on_gpu)
    weight, scales, kind = operands.weight.numpy(), None, VALUE_TYPES[setting.dtype]
    if setting.dtype == "int8":
        weight, scales = quantized_dense(weight)
    first = dense_matrix(weight, kind, scales=scales)
    count = copies(first.rows.nbytes)
    matrices = [first, *(dense_matrix(weight, kind, scales=scales) for _ in range(count - 1))]

    def calls(x: Tensor) -> list[Call]:
        numbers = to_numpy(x)
        return [
            lambda matrix=matrix: multiply_dense(matrix, numbers, threads=setting.threads)  # type: ignore[misc]
            for matrix in matrices
        ]

    return Prepared(calls, first.rows.nbytes + first.scales.nbytes)


def _own_dense_on_gpu(weight: Tensor, x: Tensor) -> Tensor:
    from sslc.runtime.triton_dense import dense_product

    return dense_product(weight, x, overlap=True)


def _torch_available(setting: Setting) -> Availability:
    if setting.dtype == "int8":
        return Availability(False, "no product of int8 in groups of 128 columns")
    return AVAILABLE


def _one_token(setting: Setting) -> Availability:
    if setting.tokens > 1:
        return Availability(False, "a product with one vector")
    return _torch_available(setting)


def _torch_dense(operands: Operands, setting: Setting, copies: Copies) -> Prepared:
    return _on_each(_moved(operands.weight, setting), copies, lambda w, x: functional.linear(x, w))


def _torch_vector(operands: Operands, setting: Setting, copies: Copies) -> Prepared:
    return _on_each(_moved(operands.weight, setting), copies, lambda w, x: torch.mv(w, x[0])[None])


def _csr_available(setting: Setting) -> Availability:
    if setting.device.type == "cpu" and setting.dtype != "fp32":
        return Availability(False, "torch multiplies CSR matrices in fp32 only on a processor")
    return _torch_available(setting)


def _torch_csr(operands: Operands, setting: Setting, copies: Copies) -> Prepared:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Sparse (CSR|invariant)")
        first = _moved(operands.sparse, setting).to_sparse_csr()
    u, v = (_moved(torch.from_numpy(factor), setting) for factor in (operands.u, operands.v))
    arrays = (first.values(), first.crow_indices(), first.col_indices(), u, v)
    size = sum(array.nbytes for array in arrays)
    parts = [(first.clone(), u.clone(), v.clone()) for _ in range(copies(size))]

    def product(s: Tensor, u: Tensor, v: Tensor, x: Tensor) -> Tensor:
        return (s @ x.T + u @ (v.T @ x.T)).T

    return Prepared(lambda x: [functools.partial(product, *part, x) for part in parts], size)


def _two_of_four(operands: Operands, setting: Setting, copies: Copies) -> Prepared:
    weight = _moved(operands.weight, setting)
    size = weight.numel() * 9 // 8  # two of four values of 2 bytes, and 2 bits for each
    weights = [two_of_four(weight) for _ in range(copies(size))]

    def calls(x: Tensor) -> list[Call]:
        wide = functional.pad(x, (0, 0, 0, max(0, _SEMI_STRUCTURED_TOKENS - len(x))))
        return [functools.partial(functional.linear, wide, weight) for weight in weights]

    return Prepared(calls, size)


def _ours_available(name: str, setting: Setting) -> Availability:
    if setting.device.type == "cuda" and setting.dtype != "bf16":
        return Availability(False, f"takes 16-bit values, not {setting.dtype}")
    return load_backend(name).availability()


def _ours(name: str, operands: Operands, setting: Setting, copies: Copies) -> Prepared:
    backend, stored = load_backend(name), operands.stored(setting.dtype)
    first = backend.prepare(stored)
    count = copies(first.weight_bytes)
    operators = [first, *(backend.prepare(stored) for _ in range(count - 1))]
    return Prepared(
        lambda x: [functools.partial(operator, x) for operator in operators], first.weight_bytes
    )


def _moved(matrix: Tensor, setting: Setting) -> Tensor:
    return matrix.to(setting.device, DTYPES[setting.dtype])


def _on_each(
    weight: Tensor, copies: Copies, product: Callable[[Tensor, Tensor], object]
) -> Prepared:
    weights = [weight, *(weight.clone() for _ in range(copies(weight.nbytes) - 1))]
    return Prepared(lambda x: [functools.partial(product, w, x) for w in weights], weight.nbytes)


_BOTH = ("cpu", "cuda")
CANDIDATES = (
    Candidate("own dense", "dense", _BOTH, _own_dense_available, _own_dense),
    Candidate("torch dense", "dense", _BOTH, _torch_available, _torch_dense),
    Candidate("torch mv", "dense", ("cuda",), _one_token, _torch_vector),
    Candidate("onnx dense", "dense", ("cpu",), onnx_available, onnx_dense),
    *(
        Candidate(
            f"kernel {name}",
            "compressed",
            ("cpu",) if name == "cpu" else ("cuda",),
            functools.partial(_ours_available, name),
            functools.partial(_ours, name),
        )
        for name in BACKENDS
    ),
    Candidate("torch CSR", "compressed", _BOTH, _csr_available, _torch_csr, captured=False),
    Candidate("onnx", "compressed", ("cpu",), onnx_available, onnx_factorised),
    Candidate("torch 2:4", "2:4", _BOTH, two_of_four_available, _two_of_four),
)
"""Dense ones first."""
