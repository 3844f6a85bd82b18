"""What the shell offers on Tab: names of what ships, and files. Nothing is loaded before that."""

from collections.abc import Callable, Iterable
from pathlib import Path

Complete = Callable[[str], list[str]]


def completing(names: Callable[[], Iterable[str]], *suffixes: str) -> Complete:
    """A completion for typer.

    Args:
        names: Called when Tab is pressed.
        suffixes: Of files that may stand in place of a name, such as ``.toml``; ``/`` for folders.
    """

    def complete(incomplete: str) -> list[str]:
        found = [name for name in names() if name.startswith(incomplete)]
        return found + _files(incomplete, suffixes)

    return complete


def _files(incomplete: str, suffixes: tuple[str, ...]) -> list[str]:
    """Files and folders that begin as typed; folders are offered on the way to either."""
    if not suffixes:
        return []
    head, slash, tail = incomplete.rpartition("/")
    folder = Path(head + slash)
    if not folder.is_dir():
        return []
    entries = (entry for entry in sorted(folder.iterdir()) if entry.name.startswith(tail))
    return [
        f"{head}{slash}{entry.name}" + ("/" if entry.is_dir() else "")
        for entry in entries
        if entry.is_dir() or entry.suffix in suffixes
    ]


def accelerators() -> list[str]:
    """Presets."""
    from accelerator_sim.machine.catalog import accelerator_names

    return accelerator_names()


def cost_tables() -> list[str]:
    """Tables of energy and area."""
    from accelerator_sim.machine.catalog import cost_table_names

    return cost_table_names()


def cycle_models() -> list[str]:
    """With ``all``."""
    from accelerator_sim.models.by_name import MODELS

    return [*MODELS, "all"]


def dtypes() -> list[str]:
    """Of stored values."""
    from workloads.artifact.storage import FLOAT_BYTES

    return list(FLOAT_BYTES)


def devices() -> list[str]:
    """Kinds of them."""
    return ["cpu", "cuda"]


def formats() -> list[str]:
    """Of tables."""
    from workloads.results.table import FORMATS

    return list(FORMATS)


def kinds_of_list() -> list[str]:
    """What ``sslc list`` lists."""
    from reports.tables.catalogue import CATALOGUES

    return list(CATALOGUES)


def layouts() -> list[str]:
    """Of an exported checkpoint."""
    return ["dense", "adapter"]


def methods() -> list[str]:
    """Of compression."""
    from sslc.methods.registry import METHODS

    return list(METHODS)


def models() -> list[str]:
    """The one that has a name of its own."""
    return ["smollm2-135m"]


def published() -> list[str]:
    """Models with published numbers."""
    from reports.paper.published import published_models

    return list(published_models())


def recovery_data() -> list[str]:
    """Texts and instruction data."""
    return ["alpaca", *texts()]


def shapes() -> list[str]:
    """Of models."""
    from workloads.shapes.transformer import model_names

    return model_names()


def studies() -> list[str]:
    """The paper's tables and figures."""
    from reports.reproduce.registry import STUDIES

    return [*STUDIES, "all"]


def texts() -> list[str]:
    """For calibration and evaluation."""
    from workloads.texts.windows import NAMES

    return list(NAMES)


def backends() -> list[str]:
    """Who can evaluate the points of a sweep."""
    from accelerator_sim.design_space.backends import BACKENDS

    return list(BACKENDS)


def protocols() -> list[str]:
    """Settings of published perplexities."""
    from workloads.texts.protocols import PROTOCOLS

    return list(PROTOCOLS)


def vision_transformers() -> list[str]:
    """With attention that ships."""
    from workloads.shapes.attention import vit_names

    return vit_names()
