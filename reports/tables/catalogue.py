"""What can be named, as tables by kind; what ships as TOML also as it stands in its file."""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from accelerator_sim.machine.catalog import (
    accelerator_names,
    cost_table_names,
    load_accelerator,
    load_cost_table,
)
from accelerator_sim.machine.keys import hardware_keys
from workloads.results.table import FORMATS, Column, Table
from workloads.shapes.attention import load_vit, vit_names
from workloads.shapes.transformer import load_model, model_names
from workloads.support.errors import InputError
from workloads.support.presets import preset_names, preset_text
from workloads.texts.protocols import PROTOCOLS
from workloads.texts.windows import NAMES

if TYPE_CHECKING:
    from accelerator_sim.models.by_name import Model

_EXAMPLES = "reports.examples"
_CYCLE_MODELS: "dict[Model, str]" = {
    "published": "compute cycles alone, perfectly balanced, as the published table counts them",
    "roofline": "the larger of compute and DRAM time of each projection; a bound, nothing beats it",
    "event": "discrete events: DRAM, buffers, both engines, hand-offs and stalls",
    "compiled": "the numbers of event, compiled: about a hundred times as fast",
}
_INDEX_FORMATS = {
    "bitmap": "one bit for each place of a tile",
    "csr": "a column number for each nonzero, a pointer for each row and one more",
    "csc": "a row number for each nonzero, a pointer for each column and one more",
    "run_length": "a code of index.run_bits for the zeros before each nonzero",
    "hierarchical_bitmap": "a bit for each block of index.block_places, and for each place of a "
    "block that is not empty",
    "N:M": "N places for each row and group of M columns, such as 2:4; the mask must fit it",
    "auto": "of each projection the one of these with the fewest bits, as its results say",
}
_TEXTS = {
    "embedded": "the reference prose that comes with Python (pydoc_data.topics); no network",
    "wikitext2": "from the hub (Salesforce/wikitext, wikitext-2-raw-v1), kept in its cache",
    "c4": "from the hub (allenai/c4), the shards that published papers take, kept in its cache",
}
_FORMATS = {
    "text": "for a terminal; the default",
    "markdown": "for a README or an issue",
    "latex": "a booktabs table that fits a paper's column; see --columns of sslc report",
    "csv": "all digits, for a spreadsheet",
    "json": "one document with all digits, tables and full results; the same as --json",
}


def models_table() -> Table:
    """Model shapes that ship with the package."""
    shapes = [load_model(name) for name in model_names()]
    rows = tuple(
        (s.name, s.blocks, s.hidden, s.intermediate, s.heads, s.kv_heads, s.head_dim)
        for s in shapes
    )
    headings = ("Model", "Blocks", "Hidden", "Intermediate", "Heads", "KV heads", "Head dim")
    return Table("models", "Model shapes", tuple(Column(name) for name in headings), rows)


def vit_table() -> Table:
    """Vision transformers whose attention ships with the package."""
    shapes = [load_vit(name) for name in vit_names()]
    rows = tuple((s.name, s.layers, s.tokens, s.heads, s.head_dim) for s in shapes)
    headings = ("Vision transformer", "Layers", "Tokens", "Heads", "Head dim")
    return Table("vit", "Vision transformers", tuple(Column(name) for name in headings), rows)


def methods_table() -> Table:
    """Compression methods with their settings and defaults."""
    from sslc.methods.precision import AS_DTYPE
    from sslc.methods.registry import METHODS, describe

    described = {name: describe(name) for name in METHODS}
    rows = tuple(
        (
            name,
            method.summary,
            ", ".join(f"{key}={json.dumps(value)}" for key, value in method.settings.items()),
        )
        for name, method in described.items()
    )
    columns = (Column("Method"), Column("What it does"), Column("Settings (--set KEY=VALUE)"))
    precision = ", ".join(f"{key}={json.dumps(value)}" for key, value in asdict(AS_DTYPE).items())
    notes = (f"Every method takes the settings of storage too ({precision}): docs/bits.md.",)
    return Table("methods", "Compression methods", columns, rows, notes)


def allocations_table() -> Table:
    """How a kept fraction is divided."""
    from sslc.allocation.kinds import ALLOCATIONS

    columns = (Column("Allocation"), Column("How the kept fraction is divided"))
    return Table("allocations", "Allocations", columns, tuple(ALLOCATIONS.items()))


def protocols_table() -> Table:
    """Settings of published programs."""
    columns = (
        Column("Protocol"), Column("Program"), Column("Calibration"), Column("Windows", ",d"),
        Column("Tokens", ",d"), Column("Seed", "d"), Column("Evaluated"),
    )  # fmt: skip
    rows = tuple(
        (name, p.source, p.calibration, p.windows, p.window_tokens, p.seed, p.text)
        for name, p in PROTOCOLS.items()
    )
    notes = (
        "Evaluated whole, in windows of as many tokens that do not overlap. Windows are cut by "
        "this project: the programs draw other places of the same text from the same seed.",
    )
    return Table("protocols", "Protocols", columns, rows, notes)


def accelerators_table() -> Table:
    """Accelerator presets."""
    machines = [load_accelerator(name) for name in accelerator_names()]
    rows = tuple(
        (
            machine.name,
            machine.lines,
            machine.macs_per_line,
            machine.clock_hz / 1e6,
            machine.dram.bytes_per_second / 1e9,
            machine.description,
        )
        for machine in machines
    )
    columns = (
        Column("Accelerator"),
        Column("PE lines"),
        Column("MACs per line"),
        Column("Clock (MHz)", ",.0f"),
        Column("DRAM (GB/s)", ",.1f"),
        Column("What it stands for"),
    )
    return Table("accelerators", "Accelerator presets", columns, rows)


def cost_tables_table() -> Table:
    """Tables of energy and area."""
    tables = [load_cost_table(name) for name in cost_table_names()]
    rows = tuple(
        (table.name, ", ".join(sorted(table.energy.dram_pj_per_byte)), table.description)
        for table in tables
    )
    columns = (Column("Cost table"), Column("DRAM technologies"), Column("What it holds for"))
    return Table("cost-tables", "Tables of energy and area", columns, rows)


def cycle_models_table() -> Table:
    """How cycles are counted."""
    from accelerator_sim.models.by_name import CYCLE_MODELS

    rows = tuple((name, CYCLE_MODELS[name].basis, what) for name, what in _CYCLE_MODELS.items())
    columns = (Column("Cycle model"), Column("Tables call it"), Column("What it counts"))
    return Table("cycle-models", "Cycle models", columns, rows)


def hardware_keys_table() -> Table:
    """Keys of an accelerator's TOML."""
    rows = tuple(
        (
            key.name,
            key.takes,
            "required" if key.default is None else key.default,
            _plain(key.meaning),
        )
        for key in hardware_keys()
    )
    columns = tuple(Column(name) for name in ("Key", "Takes", "Default", "Meaning"))
    return Table("hardware-keys", "Keys of an accelerator", columns, rows)


def index_formats_table() -> Table:
    """How places of nonzeros can be stored."""
    columns = (Column("Index format"), Column("What it stores"))
    return Table("index-formats", "Index formats", columns, tuple(_INDEX_FORMATS.items()))


def objectives_table() -> Table:
    """What a sweep can look for."""
    from accelerator_sim.design_space.objectives import DEFAULTS, OBJECTIVES

    rows = tuple(
        (
            name,
            objective.unit or "ratio",
            objective.better,
            "event, compiled"
            if objective.simulated
            else "any, with [compression]"
            if objective.of_model
            else "any",
            "yes" if name in DEFAULTS else "",
        )
        for name, objective in OBJECTIVES.items()
    )
    headings = ("Objective", "Unit", "Better", "Cycle models", "Unless said")
    return Table("objectives", "Objectives", tuple(Column(name) for name in headings), rows)


def texts_table() -> Table:
    """Texts for calibration and evaluation."""
    columns = (Column("Text"), Column("Where it comes from"))
    return Table("texts", "Texts", columns, tuple((name, _TEXTS[name]) for name in NAMES))


def formats_table() -> Table:
    """How tables can be written."""
    rows = tuple((name, f".{suffix}", _FORMATS[name]) for name, suffix in FORMATS.items())
    return Table("formats", "Formats", (Column("Format"), Column("File"), Column("For")), rows)


def spaces_table() -> Table:
    """Design spaces to begin with."""
    return _examples("spaces", "Examples of a design space")


def studies_table() -> Table:
    """Run files to begin with."""
    return _examples("studies", "Examples of a run file")


def _examples(folder: str, title: str) -> Table:
    """Files of a folder by name, with the first line of each, which says what it is."""
    names = preset_names(_EXAMPLES, folder)
    texts = (preset_text(_EXAMPLES, folder, "example", name) for name in names)
    rows = tuple(
        (name, text.partition("\n")[0].removeprefix("# "))
        for name, text in zip(names, texts, strict=True)
    )
    return Table(folder, title, (Column("Name"), Column("What it is")), rows)


def _plain(text: str) -> str:
    """A docstring's markup as people read it."""
    return text.replace("``", "")


@dataclass(frozen=True)
class Catalogue:
    """One kind of thing that has names.

    Attributes:
        what: In a few words.
        used: Where its names go.
        table: Makes the table of all of them.
        folder: Package and folder of their TOML files; None where they are no files.
    """

    what: str
    used: str
    table: Callable[[], Table]
    folder: tuple[str, str] | None = None


CATALOGUES: dict[str, Catalogue] = {
    "models": Catalogue(
        "shapes of language models", "measure --shape, [workload] of a sweep", models_table,
        ("workloads.shapes", "models"),
    ),
    "vit": Catalogue(
        "vision transformers", "attention SHAPE", vit_table, ("workloads.shapes", "vit")
    ),
    "methods": Catalogue(
        "compression methods and their settings", "compress --method", methods_table
    ),
    "allocations": Catalogue(
        "how a kept fraction is divided", "compress --allocation", allocations_table
    ),
    "protocols": Catalogue(
        "settings of published perplexities", "compress and evaluate --protocol", protocols_table
    ),
    "texts": Catalogue("texts", "compress --calibration, evaluate --text", texts_table),
    "accelerators": Catalogue(
        "machines", "--accelerator", accelerators_table, ("accelerator_sim.machine", "presets")
    ),
    "hardware-keys": Catalogue(
        "keys of a machine", "simulate --set, [fields] of a sweep", hardware_keys_table
    ),
    "index-formats": Catalogue(
        "how a sparse matrix is stored", "--set index.format=", index_formats_table
    ),
    "cycle-models": Catalogue("how cycles are counted", "--cycle-model", cycle_models_table),
    "cost-tables": Catalogue(
        "energies and areas", "--energy", cost_tables_table,
        ("accelerator_sim.machine", "cost_tables"),
    ),
    "objectives": Catalogue("what a sweep looks for", "objectives of a sweep", objectives_table),
    "spaces": Catalogue(
        "examples of a design space", "sweep SPACE.toml", spaces_table, (_EXAMPLES, "spaces")
    ),
    "studies": Catalogue(
        "examples of a run file", "run STUDY.toml", studies_table, (_EXAMPLES, "studies")
    ),
    "formats": Catalogue("how tables are written", "--format", formats_table),
}  # fmt: skip


def kinds_table() -> Table:
    """The kinds of names themselves."""
    rows = tuple(
        (kind, each.what, each.used, "yes" if each.folder else "")
        for kind, each in CATALOGUES.items()
    )
    headings = ("Kind", "What it lists", "Where its names go", "--toml")
    notes = (
        "sslc list KIND: the names of a kind.",
        "sslc list KIND --toml NAME: the file behind a name, to start one of your own.",
    )
    return Table(
        "kinds", "What can be listed", tuple(Column(name) for name in headings), rows, notes
    )


def toml_of(kind: str, name: str) -> str:
    """The TOML file behind a name, with its comments.

    Args:
        kind: A key of ``CATALOGUES``.
        name: In that catalogue.

    Raises:
        InputError: Names of that kind are no files, or none is called so.
    """
    folder = CATALOGUES[kind].folder
    if folder is None:
        kinds = ", ".join(key for key, each in CATALOGUES.items() if each.folder)
        raise InputError(f"list: {kind} are no TOML files; these are: {kinds}")
    return preset_text(*folder, kind.removesuffix("s"), name)
