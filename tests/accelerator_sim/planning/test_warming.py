"""Compiling ahead leaves no kernel for later."""

import subprocess
import sys

SEEN = """
import gc
from accelerator_sim.machine.catalog import accelerator_names, load_accelerator
from accelerator_sim.planning.warming import compile_kernels
from accelerator_sim.projection import simulate_projection
from tests.accelerator_sim.machines import projection, random_mask
from numba.core.dispatcher import Dispatcher

def kernels():
    return {d.__name__ for d in gc.get_objects() if isinstance(d, Dispatcher) and d.overloads}

compile_kernels()
before = kernels()
for name in accelerator_names():
    machine = load_accelerator(name)
    if machine.index.format not in ("2:4",):
        item = projection(random_mask(150, 130, 0.4, seed=1), rank=3, tokens=5)
        simulate_projection(item, machine, models=["roofline", "compiled"])
print(len(before), *sorted(kernels() - before))
"""


def test_compile_kernels_leaves_none_for_the_first_run() -> None:
    """In a process of its own, where a kernel has no overload before it is called."""
    done = subprocess.run([sys.executable, "-c", SEEN], capture_output=True, text=True, check=True)
    number, *later = done.stdout.split()
    assert int(number) > 3
    assert later == []
