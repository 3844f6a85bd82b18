"""Everything that ``sslc reproduce`` gives for the demo model, as docs/results.md.

python -m docs.programs.results GENERAL [WHAT]   GENERAL: wikitext2 (from the hub) or a text file,
WHAT the document calls it; hours on 2 cores, goes on where it stopped; writes docs/results.md and
docs/figures/results-*.png
"""

import dataclasses
import platform
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from docs.programs.claims import CLAIMS, NOISE, Verdicts
from reports.console import Reporter
from reports.reproduce.registry import reproduce
from reports.reproduce.studies.calibration import in_halves
from reports.reproduce.study import Limits, Reproduced, Study
from sslc.model.devices import device_name
from sslc.model.opening import open_checkpoint
from workloads.results.table import render
from workloads.support.files import write_atomic

MODEL = "smollm2-135m"
OUT = Path("runs/results")
DOCUMENT = Path("docs/results.md")
FIGURES = Path("docs/figures")
WHOLE = Limits(windows=8, window_tokens=256, max_tokens=8192)
PART = Limits(blocks=6, windows=8, window_tokens=256, max_tokens=2048)


@dataclass(frozen=True)
class Section:
    """One table or figure of the document.

    Attributes:
        name: For ``sslc reproduce``.
        title: Of the section.
        limits: How much is done.
    """

    name: str
    title: str
    limits: Limits


SECTIONS = (
    Section("table1", "Table 1: methods", WHOLE),
    Section("table2", "Table 2: after recovery", replace(PART, steps=20)),
    Section("table3", "Table 3: iterations", PART),
    Section("table4", "Table 4: cycles of the model's own masks", PART),
    Section("table6", "Table 6: rank", PART),
    Section("table7", "Table 7: preserved entries", PART),
    Section("table8", "Table 8: seeds", replace(PART, seeds=3)),
    Section("table9", "Table 9: other scores", PART),
    Section("figure1", "Figure 1: salience before and after", WHOLE),
    Section("figure4", "Figure 4: parameters that keep 80% of the salience", PART),
    Section("figure5", "Figure 5: loss by iteration and depth", PART),
    Section("figure6", "Figure 6: perplexity over the pruning ratio", PART),
    Section("calibration", "Calibration text against evaluation text", PART),
)


def main(general: str, what: str = "") -> None:
    """Make every section that is not in the cache, then the page and its figures."""
    made = {}
    with Reporter() as reporter:
        checkpoint = open_checkpoint(MODEL, reporter)
        study = Study(checkpoint, OUT, texts=("embedded", in_halves(general)), progress=reporter)
        for section in SECTIONS:
            made[section] = reproduce(section.name, replace(study, limits=section.limits))
    for reproduced in made.values():
        for name, figure in reproduced.figures.items():
            figure.savefig(FIGURES / f"results-{name}.png", dpi=160)
    write_atomic(DOCUMENT, document(made, what or Path(general).name).encode())


def document(made: dict[Section, Reproduced], what: str) -> str:
    """The document.

    Args:
        made: By section, in order.
        what: The general text, in words.
    """
    judged = {section: CLAIMS[section.name](made[section].results) for section in made}
    failed = [
        f"- {section.title}: {claim}: {verdict.replace('**', '')}\n"
        for section, verdicts in judged.items()
        for claim, verdict in verdicts
        if "**no**" in verdict
    ]
    short = f"\n## What does not hold here, wholly or in part\n\n{''.join(failed)}"
    sections = (_section(section, made[section], verdicts) for section, verdicts in judged.items())
    return _head(what) + short + "".join(sections)


def _head(what: str) -> str:
    name, threads = device_name(torch.device("cpu")), torch.get_num_threads()
    machine = f"{name}, {threads} threads, {platform.machine()}, torch {torch.__version__}, no GPU"
    return f"""# What the demo model gives

This page has every table and figure that `sslc reproduce` makes for SmolLM2-135M-Instruct.
`make results` (`python -m docs.programs.results`) writes it.

| about | |
|---|---|
| numbers | **measured** on this machine, unless a column says published or, for cycles, analytic \
or simulated |
| machine | {machine} |
| masks | real: those of the compressed model |
| published numbers | as printed in the paper, of LLaMA2-7B on WikiText-2 and C4. They are of \
another model than ours: **levels cannot be compared, only orderings can** |
| calibration and recovery | on the embedded text, Python's reference prose |
| evaluation | on the held-out half of the embedded text, which is like the calibration, and on \
the second half (`halves:`) of a general text, {what} |
| undecided | perplexities are over few tokens, and rounding alone moves them by a percent or more \
([Decisions](decisions.md), Methods). A gap below {NOISE:.0%} is called undecided |
| *What holds* | each verdict is computed from the numbers above it by `docs/programs/claims.py` |
| GENERAL, in commands | `halves:` and the general text, or its name on the hub |
| not here | Table 10, which needs the tasks of the hub |
"""


def _section(section: Section, made: Reproduced, judged: Verdicts) -> str:
    command = " ".join(
        ("sslc reproduce", section.name, "--model", MODEL, "--text embedded,GENERAL",
         *_options(section.limits))
    )  # fmt: skip
    pictures = [f"\n![{section.title}](figures/results-{name}.png)\n" for name in made.figures]
    verdicts = [f"| {_cell(claim)} | {verdict} |" for claim, verdict in judged]
    return "\n".join(
        [
            f"\n## {section.title}\n",
            f"```\n{command}\n```\n",
            *(render(table, "markdown") for table in made.tables),
            *pictures,
            "\n| What holds | here |\n|---|---|",
            *verdicts,
            "",
        ]
    )


def _options(limits: Limits) -> list[str]:
    """What the command is given: the limits that are not the default."""
    usual = dataclasses.asdict(Limits())
    return [
        f"--{name.replace('_', '-')} {value}"
        for name, value in dataclasses.asdict(limits).items()
        if value != usual[name]
    ]


def _cell(text: str) -> str:
    return text.replace("|", r"\|")


if __name__ == "__main__":
    main(*sys.argv[1:])
