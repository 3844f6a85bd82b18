"""Everything that ``sslc reproduce`` gives for the demo model, as docs/results.md.

python -m benchmarks.results GENERAL [WHAT]   GENERAL: wikitext2 (from the hub) or a text file, WHAT
the document calls it; hours on 2 cores, goes on where it stopped; writes docs/results.md and
docs/figures/results-*.png
"""

import json
import platform
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from benchmarks.claims import CLAIMS, NOISE
from reports.reproduce.studies.calibration import in_halves
from workloads.support.devices import cpu_name
from workloads.support.files import write_atomic

OUT = Path("runs/results")
DOCUMENT = Path("docs/results.md")
FIGURES = Path("docs/figures")
WHOLE = "--windows 8 --window-tokens 256 --max-tokens 8192"
PART = "--blocks 6 --windows 8 --window-tokens 256 --max-tokens 2048"


@dataclass(frozen=True)
class Section:
    """One table or figure of the document.

    Attributes:
        name: For ``sslc reproduce``.
        title: Of the section.
        options: Beside model, texts and output directory.
        figures: Files that it writes, without suffix.
    """

    name: str
    title: str
    options: str
    figures: tuple[str, ...] = ()


SECTIONS = (
    Section("table1", "Table 1: methods", WHOLE),
    Section("table2", "Table 2: after recovery", f"{PART} --steps 20"),
    Section("table3", "Table 3: iterations", PART),
    Section("table4", "Table 4: cycles of the model's own masks", PART),
    Section("table6", "Table 6: rank", PART),
    Section("table7", "Table 7: preserved entries", PART),
    Section("table8", "Table 8: seeds", f"{PART} --seeds 3"),
    Section("table9", "Table 9: other scores", PART),
    Section("figure1", "Figure 1: salience before and after", WHOLE, ("figure1",)),
    Section("figure4", "Figure 4: parameters that keep 80% of the salience", PART, ("figure4",)),
    Section("figure5", "Figure 5: loss by iteration and depth", PART, ("figure5",)),
    Section("figure6", "Figure 6: perplexity over the pruning ratio", PART, ("figure6",)),
    Section("calibration", "Calibration text against evaluation text", PART, ("calibration",)),
)


def main(general: str, what: str = "") -> None:
    texts = f"embedded,{in_halves(general)}"
    for section in SECTIONS:
        options = ["--model", "smollm2-135m", "--text", texts, *section.options.split()]
        subprocess.run(
            ["sslc", "reproduce", section.name, *options, "--out", str(OUT)],
            check=True,
            stdout=subprocess.DEVNULL,
        )
    write_atomic(DOCUMENT, document(what or Path(general).name).encode())


def document(what: str) -> str:
    """The document, from what the commands left in ``OUT``."""
    judged = {section: CLAIMS[section.name](_results(section)) for section in SECTIONS}
    failed = [
        f"- {section.title}: {claim}: {verdict.replace('**', '')}\n"
        for section, verdicts in judged.items()
        for claim, verdict in verdicts
        if "**no**" in verdict
    ]
    short = f"\n## What does not hold here, wholly or in part\n\n{''.join(failed)}"
    sections = (_section(section, verdicts) for section, verdicts in judged.items())
    return _head(what) + short + "".join(sections)


def _head(what: str) -> str:
    return f"""# What the demo model gives

Every table and figure of `sslc reproduce` for SmolLM2-135M-Instruct, made by `make results`
(`python -m benchmarks.results`). All numbers are **measured** here unless a column says published
or, for cycles, analytic or simulated; masks are real. Machine: {cpu_name()}, {torch.get_num_threads()}
threads, {platform.machine()}, torch {torch.__version__}, no GPU.

Published numbers stand beside ours as printed. They are of LLaMA2-7B on WikiText-2 and C4: **levels
cannot be compared, only orderings can**. Calibration and recovery use the embedded text (Python's
reference prose). Evaluated are its held-out half, which is like the calibration, and the second
half (`halves:`) of a general text, {what}. Perplexities are over few tokens, and rounding alone
moves them by a percent or more ([decisions.md](decisions.md), Methods): gaps below {NOISE:.0%}
count as undecided.

Each verdict under *What holds* is computed from the numbers above it by `benchmarks/claims.py`. In
the commands GENERAL is `halves:` and the general text, or its name on the hub. Table 10 needs the
hub's tasks and is not here.
"""


def _results(section: Section) -> Any:
    return json.loads((OUT / f"{section.name}-results.json").read_text())


def _section(section: Section, judged: list[tuple[str, str]]) -> str:
    tables = sorted(OUT.glob(f"{section.name}.md")) + sorted(OUT.glob(f"{section.name}-*.md"))
    command = (
        f"sslc reproduce {section.name} --model smollm2-135m --text embedded,GENERAL "
        f"{section.options}"
    )
    pictures = []
    for figure in section.figures:
        shutil.copyfile(OUT / f"{figure}.png", FIGURES / f"results-{figure}.png")
        pictures.append(f"\n![{section.title}](figures/results-{figure}.png)\n")
    verdicts = [f"| {_cell(claim)} | {verdict} |" for claim, verdict in judged]
    return "\n".join(
        [
            f"\n## {section.title}\n",
            f"```\n{command}\n```\n",
            *(table.read_text() for table in tables),
            *pictures,
            "\n| What holds | here |\n|---|---|",
            *verdicts,
            "",
        ]
    )


def _cell(text: str) -> str:
    return text.replace("|", r"\|")


if __name__ == "__main__":
    main(*sys.argv[1:])
