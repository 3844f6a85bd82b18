"""Files and modules that the docs name are there."""

import importlib.util
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = "workloads|sslc|accelerator_sim|reports|benchmarks|tests"
FILE = re.compile(rf"`((?:{PACKAGES}|docs)/[\w./-]+)`")
MODULE = re.compile(rf"`((?:{PACKAGES})(?:\.\w+)+)`")
LINK = re.compile(r"\]\(([^)#:]+?)(?:#[^)]*)?\)")
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def exists(dotted: str) -> bool:
    """Whether a dotted name is a module, or a name in one."""
    parts = dotted.split(".")
    for end in range(len(parts), 0, -1):
        try:
            spec = importlib.util.find_spec(".".join(parts[:end]))
        except ModuleNotFoundError:
            continue
        if spec is not None:
            module, names = importlib.import_module(".".join(parts[:end])), parts[end:]
            for name in names:
                if not hasattr(module, name):
                    return False
                module = getattr(module, name)
            return True
    return False


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_page_names_only_files_that_are_there(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert [name for name in FILE.findall(text) if not (ROOT / name).exists()] == []
    links = [link for link in LINK.findall(text) if not (page.parent / link).exists()]
    assert links == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_page_names_only_modules_and_functions_that_are_there(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert [name for name in MODULE.findall(text) if not exists(name)] == []
