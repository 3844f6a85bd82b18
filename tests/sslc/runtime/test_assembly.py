"""The instructions of the kernels: both levels are compiled on any machine, none is run here."""

import re

import pytest

from sslc.runtime.bitmap import BF16, FP32, INT8, ValueType
from sslc.runtime.cpu import compiled
from sslc.runtime.features import AVX2, AVX512, AVX512_BF16, Level
from sslc.runtime.kernel_parts import Variant

EXPAND = {BF16: "vpexpandw", FP32: "vexpandps", INT8: "vpexpandb"}
SHUFFLE = {BF16: "vpshufb", FP32: "vpermd", INT8: "vpshufb"}
KINDS = pytest.mark.parametrize("kind", [BF16, FP32, INT8], ids=lambda kind: kind.name)
KERNELS = pytest.mark.parametrize("name", ["sparse", "expand"])


@KINDS
@KERNELS
def test_assembly_avx512_expands_by_instruction(kind: ValueType, name: str) -> None:
    assembly = compiled(name, Variant(kind, AVX512, 1)).assembly()
    assert re.search(rf"{EXPAND[kind]}.*%zmm", assembly)
    assert SHUFFLE[kind] not in assembly


@KINDS
@KERNELS
@pytest.mark.parametrize("tokens", [1, 2, 4])
def test_assembly_avx2_has_no_avx512(kind: ValueType, name: str, tokens: int) -> None:
    assembly = compiled(name, Variant(kind, AVX2, tokens)).assembly()
    assert SHUFFLE[kind] in assembly
    assert not re.search(r"%zmm|%k[0-7]\b|%[xy]mm(1[6-9]|2\d|3[01])|vpexpand", assembly)


@KINDS
@pytest.mark.parametrize("level", [AVX2, AVX512], ids=lambda level: level.name)
def test_assembly_sparse_prefetches_and_fuses(kind: ValueType, level: Level) -> None:
    assembly = compiled("sparse", Variant(kind, level, 1)).assembly()
    assert "prefetcht0" in assembly
    assert "vfmadd" in assembly


@pytest.mark.parametrize(("level", "instruction"), [(AVX2, "vpmaddwd"), (AVX512, "vpdpbusd")])
def test_assembly_int8_multiplies_integers(level: Level, instruction: str) -> None:
    assert instruction in compiled("sparse", Variant(INT8, level, 1)).assembly()


def test_assembly_bf16_x_is_multiplied_as_it_is_where_the_level_can() -> None:
    variant = Variant(BF16, AVX512_BF16, 1, BF16)
    assert "vdpbf16ps" in compiled("sparse", variant).assembly()
    assert "vdpbf16ps" not in compiled("sparse", Variant(BF16, AVX512)).assembly()
