"""The rules of the house: what names and sizes may be, over every module of the packages."""

import ast
import importlib
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("workloads", "sslc", "accelerator_sim", "reports")
MOST_LINES = 400
MOST_LINES_OF_A_FUNCTION = 40  # without its docstring


def modules(package: str) -> list[Path]:
    return [path for path in sorted((ROOT / package).rglob("*.py")) if path.name != "__init__.py"]


@pytest.mark.parametrize("package", PACKAGES)
def test_base_name_occurs_once_in_a_package(package: str) -> None:
    """``commands`` mirrors the subcommands and ``figures`` its tables, so those may repeat."""
    names = Counter(
        path.name
        for path in modules(package)
        if path.parent.name not in ("commands", "figures", "tables", "studies")
    )
    assert [name for name, count in names.items() if count > 1] == []


@pytest.mark.parametrize("package", ["sslc", "accelerator_sim"])
def test_module_or_folder_never_bears_the_name_of_a_function_of_the_face(package: str) -> None:
    face = {name for name in importlib.import_module(package).__all__ if name.islower()}
    rooms = {path.stem for path in (ROOT / package).iterdir()}
    assert face & rooms == set()


@pytest.mark.parametrize("package", PACKAGES)
def test_module_begins_with_a_docstring_and_fits_400_lines(package: str) -> None:
    for path in modules(package):
        text = path.read_text(encoding="utf-8")
        assert ast.get_docstring(ast.parse(text)), path
        assert len(text.splitlines()) <= MOST_LINES, path


@pytest.mark.parametrize("folder", [*PACKAGES, "tests", "benchmarks", "docs/programs"])
def test_function_fits_one_screen(folder: str) -> None:
    for path in modules(folder):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno:
                body = node.body[1:] if ast.get_docstring(node) else node.body
                lines = node.end_lineno - body[0].lineno + 1 if body else 0
                assert lines <= MOST_LINES_OF_A_FUNCTION, f"{path}: {node.name}"
