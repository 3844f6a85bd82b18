"""Compile the Triton kernel for sm_90, without a GPU, and count the instructions of its loop.

Run as a script by the test beside it: where the interpreter is on, nothing can be compiled.
Prints registers spilled to local memory, barriers, and SASS instructions for each entry of S.
"""

import re

import torch
import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource
from triton.tools.disasm import get_sass

from sslc.runtime.triton_kernels import delta4_kernel

POINTERS = {
    "values": "*i32", "codes": "*i32", "starts": "*i16", "row_chunks": "*i32", "x": "*fp32",
    "u": "*bf16", "projected": "*fp32", "bias": "*fp32", "y": "*bf16",
}  # fmt: skip
CONSTANTS = {"TOKENS": 1, "RANKS": 64, "UNROLL": 1, "BIAS": False, "HALF": False}


def sass() -> str:
    """Machine code for one token, loops not unrolled."""
    signature = POINTERS | {"rows": "i32", "rank_eighths": "i32"}
    signature |= dict.fromkeys(CONSTANTS, "constexpr")
    names = list(signature)
    source = ASTSource(
        delta4_kernel,
        signature,
        constexprs={(names.index(name),): value for name, value in CONSTANTS.items()},
        attrs={(i,): [["tt.divisibility", 16]] for i in range(len(POINTERS))},
    )
    target = GPUTarget("cuda", 90, 32)
    return str(
        get_sass(triton.compile(source, target=target, options={"num_warps": 1}).asm["cubin"])
    )


def loop(text: str) -> list[str]:
    """The instructions of the loop that reads 16 bytes of values a lane."""
    lines = text.splitlines()
    labels = {line.split(":")[0].strip(): i for i, line in enumerate(lines) if ":" in line}
    load = next(i for i, line in reversed(list(enumerate(lines))) if "LDG.E.128" in line)
    for i in range(load, len(lines)):
        target = re.search(r"BRA (\S+?);?\s*$", lines[i])
        start = labels.get(target.group(1).strip("`();")) if target else None
        if start is not None and start < load:
            return lines[start + 1 : i + 1]
    raise SystemExit("no loop around the load of values")


if __name__ == "__main__":
    torch.manual_seed(0)
    code = sass()
    print(code.count("LDL"), code.count("BAR."), len(loop(code)) / 8)
