"""Presets and fields that have another name now, with what to write instead. Pure.

Beside ``catalog``: files and commands that still have them get one sentence.
"""

from collections.abc import Mapping
from typing import Any

from workloads.support.errors import InputError
from workloads.support.toml_place import Place

_ENGINE = "-class-unstructured"
PRESETS = {
    "a100-sxm-80gb": f"a100{_ENGINE}",
    "ethos-u65": f"ethos-u65{_ENGINE}",
    "gddr6-aim": f"gddr6-aim{_ENGINE}",
    "tpu-v4": f"tpu-v4{_ENGINE}",
}
_SLOTS = {"single": 1, "double": 2}
_BUFFERS = ("weight_buffer", "activation_buffer", "output_buffer")


def check_preset(name: str) -> None:
    """Refuse a preset's former name.

    Raises:
        InputError: It has another name now.
    """
    if name in PRESETS:
        raise InputError(
            f"accelerator {name!r} is called {PRESETS[name]!r} now: the product has no engine for "
            "unstructured weights, and the preset has"
        )


def check_fields(table: Mapping[str, Any], place: Place) -> None:
    """Refuse a machine's former fields.

    Args:
        table: A machine's parsed TOML.
        place: Where it stands.

    Raises:
        InputError: A field has another name now.
    """
    for head in (*_BUFFERS, "dram"):
        part = table.get(head)
        for key in part if isinstance(part, Mapping) else ():
            said = instead(f"{head}.{key}", part[key], clock_hz=table.get("clock_hz"))  # type: ignore[index]
            if said:
                raise InputError(f"{place.inside(head).of(key)}: {said}")


def instead(key: str, value: object = None, *, clock_hz: object = None) -> str:
    """What to write for a former field; empty for every other key.

    Args:
        key: Dotted.
        value: As it was given.
        clock_hz: Of the machine, where it is known.
    """
    head, _, field = key.partition(".")
    if head in _BUFFERS and field == "buffering":
        slots = _SLOTS.get(value) if isinstance(value, str) else None
        meant = f"slots = {slots}" if slots else "slots = 1 for single, slots = 2 for double"
        return f'buffering is replaced by slots: write {meant}, or slots = "auto"'
    if key != "dram.latency_cycles":
        return ""
    if isinstance(value, int) and isinstance(clock_hz, int) and clock_hz > 0:
        meant = f"latency_ns = {value * 10**9 / clock_hz:g} for {value} cycles"
    else:
        meant = "latency_ns, which is cycles times 1e9 / clock_hz"
    return (
        f"latency_cycles is replaced by latency_ns, which the clock does not change: write {meant}"
    )
