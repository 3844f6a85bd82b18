"""What a compressed model costs on hardware: tiles, cycles, stalls (numpy, simpy; never torch).

The face of the package. Importing it costs nothing: the simulator comes with the first function
that is asked for.

    result = accelerator_sim.simulate("runs/a", "vitcod", models=("roofline", "event"))
    result["event"].total["MHA"].sum_cycles
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from accelerator_sim.attention.attention_result import AttentionResult
    from accelerator_sim.attention.vision import HeadMasks, simulate_attention
    from accelerator_sim.design_space.sweep_result import Sweep
    from accelerator_sim.design_space.workload import Workload
    from accelerator_sim.machine.catalog import accelerator_names, load_accelerator
    from accelerator_sim.machine.hardware import Accelerator
    from accelerator_sim.models.cycles_result import CyclesResult, Simulation
    from accelerator_sim.operations import simulate, simulate_whole, sweep, sweep_share, what_if
    from accelerator_sim.sensitivity.what_if_result import WhatIfResult
    from accelerator_sim.serving.llmservingsim import export_llmservingsim
    from accelerator_sim.serving.whole_model_result import WholeModelResult
    from workloads.support.errors import InputError

    __version__: str

__all__ = [
    "Accelerator",
    "AttentionResult",
    "CyclesResult",
    "HeadMasks",
    "InputError",
    "Simulation",
    "Sweep",
    "WhatIfResult",
    "WholeModelResult",
    "Workload",
    "__version__",
    "accelerator_names",
    "export_llmservingsim",
    "load_accelerator",
    "simulate",
    "simulate_attention",
    "simulate_whole",
    "sweep",
    "sweep_share",
    "what_if",
]
_HOMES = {
    "AttentionResult": "accelerator_sim.attention.attention_result",
    "HeadMasks": "accelerator_sim.attention.vision",
    "Accelerator": "accelerator_sim.machine.hardware",
    "CyclesResult": "accelerator_sim.models.cycles_result",
    "InputError": "workloads.support.errors",
    "Simulation": "accelerator_sim.models.cycles_result",
    "Sweep": "accelerator_sim.design_space.sweep_result",
    "WhatIfResult": "accelerator_sim.sensitivity.what_if_result",
    "WholeModelResult": "accelerator_sim.serving.whole_model_result",
    "Workload": "accelerator_sim.design_space.workload",
    "accelerator_names": "accelerator_sim.machine.catalog",
    "export_llmservingsim": "accelerator_sim.serving.llmservingsim",
    "load_accelerator": "accelerator_sim.machine.catalog",
    "simulate_attention": "accelerator_sim.attention.vision",
    "simulate": "accelerator_sim.operations",
    "simulate_whole": "accelerator_sim.operations",
    "sweep": "accelerator_sim.operations",
    "sweep_share": "accelerator_sim.operations",
    "what_if": "accelerator_sim.operations",
}


def __getattr__(name: str) -> Any:
    """Import what is asked for, when it is asked for."""
    if name == "__version__":
        from workloads.results.identity import version

        return version()
    if name not in _HOMES:
        raise AttributeError(f"module 'accelerator_sim' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    """The face, for completion."""
    return sorted(__all__)
