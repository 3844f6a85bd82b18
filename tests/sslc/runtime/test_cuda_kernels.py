"""What of the CUDA kernel holds without a CUDA device; ``benchmarks/gpu.py`` checks the rest."""

import re
import shutil
from importlib import resources

import pytest
import torch

from sslc.runtime import cuda_driver, cuda_kernels
from tests.sslc.runtime.projections import projection
from workloads.support.errors import InputError


def test_operands_structure_has_the_fields_of_the_kernels_own_in_order() -> None:
    source = resources.files("sslc.runtime").joinpath("delta4.cu").read_text()
    body = re.sub(r"//.*", "", source.split("struct Operands {")[1].split("};")[0])
    fields = []
    for declaration in filter(str.strip, body.split(";")):
        names = re.findall(r"[*\s,](\w+)(?=\s*(?:,|$))", declaration.strip())
        fields += [(name, "c_void_p" if "*" in declaration else "c_int") for name in names]
    ours = [(name, kind.__name__) for name, kind, *_ in cuda_kernels._Operands._fields_]
    assert ours == fields


def test_tokens_of_launch_wide_matrices_take_fewer_tokens_at_once() -> None:
    def at_once(columns: int, tokens: int) -> int:
        operands = projection(2, columns, 0.01, 1, dtype=torch.bfloat16, bias=False).operands
        return cuda_kernels.tokens_of_launch(operands, tokens)

    # x takes 2 bytes a column and token, in 220 KiB.
    assert [at_once(4096, tokens) for tokens in (1, 3, 16)] == [1, 4, 16]
    assert [at_once(11008, tokens) for tokens in (1, 8, 16)] == [1, 8, 8]
    assert [at_once(18944, tokens) for tokens in (2, 16)] == [2, 4]


def test_compile_cubin_without_any_compiler_says_what_is_missing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(cuda_driver, "_nvrtc", lambda: None)
    monkeypatch.setattr(shutil, "which", lambda _: None)
    with pytest.raises(InputError, match=r"need NVRTC .* or nvcc"):
        cuda_driver.compile_cubin("", [])
