"""The commands and snippets of every page run, in the page's order, on a small model.

Commands that take long are run too when ``SSLC_DOCS_RUN`` is set (``make docs-run``); those that
cannot be run here at all say why.
"""

import itertools
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from docs.programs.pages import PAGES, ROOT, Item, items_of
from tests.cli.conftest import Run

EVERYTHING = bool(os.environ.get("SSLC_DOCS_RUN"))
NAMES = {"smollm2-135m": "MODEL", "meta-llama/Llama-2-7b-hf": "MODEL", "METHOD": "wanda"}
ELSEWHERE = {
    r"^([A-Z_]+=\S+ )*(make|pip|git|source) |demo": "installs, or is what CI runs",
    r"piqa": "the questions are on the hub",
    r"--protocol": "the text is on the hub",
    r"Llama-2-7b": "the weights are on the hub",
    r"--(backend|shard)": "needs a cluster; tests/accelerator_sim/design_space/test_backends.py",
    r"STUDY\.toml": "docs/studies.md runs one",
    r"GENERAL": "hours; `make results` runs it",
    r"CHECKOUT": "needs an earlier checkout",
    r"benchmarks\.(gpu|compression_cost|seven_billion|faults|decode_kernels|mapper)": "see there",
    r"programs\.(orderings|results|tutorial|(rivals|budgets) DIR)": "takes from an hour on",
    r"programs\.budgets --curves": "takes minutes on the real model",
    r"programs\.(effects|energy_table|loop_orders)": "writes into its page",
}
SNIPPETS_ELSEWHERE = {"api.md", "bits.md"}
"""Run by ``test_api`` and ``test_bits``."""
# What a command gets that does not say otherwise: little to read.
LITTLE = {
    "compress": {"--windows": "2", "--window-tokens": "32", "--calibration": "my.txt"},
    "evaluate": {"--max-tokens": "4096"},
    "simulate": {"--blocks": "1"},
}
# Sizes of which a small part does.
SMALLER = {
    "--prompt 512 --output 128": "--prompt 8 --output 4",
    "prompt=512, output=128": "prompt=8, output=4, blocks=1",
    "tokens=16).plot()": "tokens=16, blocks=1).plot()",
    "reproduce calibration --text": "reproduce calibration --model MODEL --text",
    "engines_agree 3000": "engines_agree 30",
    "monotonicity 3000": "monotonicity 30",
    "benchmarks.sweep_growth": "benchmarks.sweep_growth 1000",
}
LONG = (
    r"reproduce",
    r"sweep (llama2-7b|co-design)",
    r"measure --(shape|calibrate)",
    r"recover",
    r"sslc measure",
    r"sslc run (?!.*--dry-run)",
    r"--refine",
    r"--calibration \S*self",
    r"^python -m",
)


def why_not(command: str) -> str:
    """Why a command is not run; empty if it is."""
    for pattern, reason in ELSEWHERE.items():
        if re.search(pattern, command):
            return reason
    if "cuda" in command and not torch.cuda.is_available():
        return "needs a CUDA device"
    long = any(re.search(pattern, command) for pattern in LONG)
    return "takes long" if long and not EVERYTHING else ""


def smaller(text: str) -> str:
    """A command or snippet with sizes that take less time."""
    for large, small in SMALLER.items():
        text = text.replace(large, small)
    return text


def words_of(command: str) -> list[str]:
    """A command's words, with names of things that are in the scene."""
    command = re.sub(r"(--[\w-]+) [A-Z]\b", r"\1 1", smaller(command))  # any number
    for name, stand_in in NAMES.items():
        command = command.replace(name, stand_in)
    return [word for word in shlex.split(command) if not re.match(r"[A-Z_]+=", word)]


def run_command(item: Item, sslc: Run) -> None:
    """Run it, as a page's reader would."""
    text, _, target = item.text.partition(" > ")
    program, *arguments = words_of(text)
    assert program in ("sslc", "python"), item.text
    if program == "python":
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        subprocess.run([sys.executable, *arguments], check=True, env=environment)
        return
    for option, value in itertools.pairwise(arguments):
        if option == "--out" and arguments[0] in ("compress", "export", "recover", "sweep"):
            shutil.rmtree(value, ignore_errors=True)
    little = {} if "--mask" in arguments else LITTLE.get(arguments[0], {})
    done = sslc(
        *arguments, *(word for pair in little.items() if pair[0] not in arguments for word in pair)
    )
    if target:
        written = done.stdout.replace("smollm2-135m", NAMES["smollm2-135m"])
        Path(target).write_text(written, encoding="utf-8")
    missing = item.inline and "Missing" in done.stderr  # a part of a command, to explain an option
    assert done.returncode == 0 or missing, f"{item.text}\n{done.stderr}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_page_runs_from_top_to_bottom(
    page: Path, scene: Path, sslc: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(scene)
    names: dict[str, object] = {}
    items = list(items_of(page.read_text(encoding="utf-8")))
    for item in items:
        if item.kind == "file":
            (scene / item.name).write_text(item.text, encoding="utf-8")
    for item in items:
        if item.kind == "python" and page.name not in SNIPPETS_ELSEWHERE:
            code = smaller(item.text).replace("smollm2-135m", "MODEL")
            exec(compile(code, page.name, "exec"), names)
        elif item.kind == "command" and not is_named(item) and not why_not(item.text):
            run_command(item, sslc)


def is_named(item: Item) -> bool:
    """Whether a command is only named in a sentence, without anything to do."""
    words = item.text.split()
    return item.inline and len(words) == 2 and words[1] != "list"
