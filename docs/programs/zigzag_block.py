"""One dense LLaMA2-7B block by ZigZag: 64x64 PEs, int8, DRAM of so many bits a cycle.

In an environment of its own: pip install zigzag-dse==3.9.1 six
python docs/programs/zigzag_block.py BITS TOKENS

76.8 GB/s at 500 MHz is 1228.8 bits a cycle; with GB read as GiB it is 1319.4.
"""

import logging
import sys
import tempfile
from pathlib import Path
from typing import Any

import yaml
from zigzag.api import get_hardware_performance_zigzag

GEMMS = ((4, 4096, 4096), (2, 11008, 4096), (1, 4096, 11008))
"""How many of each shape, rows, columns."""


def main() -> None:
    """Print the cycles of each product and of the block."""
    dram_bits, tokens = int(sys.argv[1]), int(sys.argv[2])
    logging.disable(logging.CRITICAL)
    total = 0.0
    for count, rows, columns in GEMMS:
        cycles = _latency(rows, columns, tokens, dram_bits)
        print(f"{rows} x {columns}: {cycles:,.0f} cycles")
        total += count * cycles
    print(f"block: {total:,.0f} cycles at {dram_bits} bits a cycle")


def _latency(rows: int, columns: int, tokens: int, dram_bits: int) -> float:
    """Cycles of one product by ZigZag's cost model, mapping searched for latency."""
    layer = {
        "id": 0,
        "name": "gemm",
        "operator_type": "Gemm",
        "equation": "O[b][k]+=W[k][c]*I[b][c]",
        "loop_dims": ["B", "K", "C"],
        "loop_sizes": [tokens, rows, columns],
        "operand_precision": {"W": 8, "I": 8, "O": 32, "O_final": 8},
        "operand_source": {"I": 0, "W": 0},
    }
    mapping = {
        "name": "default",
        "spatial_mapping": {"D1": ["K, 64"], "D2": ["C, 64"]},
        "memory_operand_links": {"O": "O", "W": "I2", "I": "I1"},
    }
    with tempfile.TemporaryDirectory() as folder:
        paths = []
        for name, content in (
            ("layer", [layer]),
            ("machine", _machine(dram_bits)),
            ("mapping", [mapping]),
        ):
            paths.append(str(Path(folder) / f"{name}.yaml"))
            Path(paths[-1]).write_text(yaml.safe_dump(content, sort_keys=False))
        found = get_hardware_performance_zigzag(
            *paths, opt="latency", dump_folder=folder, loma_show_progress_bar=False
        )
    return float(found[1])


def _machine(dram_bits: int) -> dict[str, Any]:
    """Registers for a weight and a sum in each PE, a buffer for each operand, one DRAM port."""
    every = ["I1, fh", "I1, tl", "I2, fh", "I2, tl", "O, fh", "O, tl", "O, fl", "O, th"]
    whole = ["D1", "D2"]
    sums = [("read", "O, tl"), ("read", "O, th"), ("write", "O, fh"), ("write", "O, fl")]
    memories = {
        "weight_register": _memory(
            8, "I2", _ports(8, [("read", "I2, tl"), ("write", "I2, fh")]), []
        ),
        "sum_register": _memory(32, "O", _ports(32, sums), ["D2"]),
        "weight_buffer": _memory(8 * 129_024, "I2", _buffer_ports("I2", 65_536), whole),
        "activation_buffer": _memory(32 * 54_272, "I1", _buffer_ports("I1", 65_536), whole),
        "output_buffer": _memory(8 * 110_592, "O", _buffer_ports("O", 131_072), whole),
        "dram": _memory(10**12, "I1 I2 O", [_port(1, "read_write", dram_bits, every)], whole),
    }
    array = {"unit_energy": 0.04, "unit_area": 1, "dimensions": whole, "sizes": [64, 64]}
    return {"name": "array_64x64", "memories": memories, "operational_array": array}


def _memory(
    size_bits: int, operands: str, ports: list[dict[str, Any]], served: list[str]
) -> dict[str, Any]:
    return {
        "size": size_bits,
        "r_cost": 1,
        "w_cost": 1,
        "area": 0,
        "latency": 1,
        "operands": operands.split(),
        "ports": ports,
        "served_dimensions": served,
    }


def _buffer_ports(operand: str, bits: int) -> list[dict[str, Any]]:
    reads = [f"{operand}, tl"] + ["O, th"] * (operand == "O")
    writes = [f"{operand}, fh"] + ["O, fl"] * (operand == "O")
    return [_port(1, "read", bits, reads), _port(2, "write", bits, writes)]


def _ports(bits: int, uses: list[tuple[str, str]]) -> list[dict[str, Any]]:
    return [_port(number, kind, bits, [use]) for number, (kind, use) in enumerate(uses, start=1)]


def _port(number: int, kind: str, bits: int, uses: list[str]) -> dict[str, Any]:
    prefix = "".join(word[0] for word in kind.split("_"))
    return {
        "name": f"{prefix}_port_{number}",
        "type": kind,
        "bandwidth_min": 8,
        "bandwidth_max": bits,
        "allocation": uses,
    }


if __name__ == "__main__":
    main()
