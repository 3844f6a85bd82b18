"""CITATION.cff names the version that the package has, and what format 1.2.0 asks for."""

import tomllib
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]


def test_citation_has_what_its_format_asks_for_and_the_package_s_version() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert citation["cff-version"] == "1.2.0"
    assert {"message", "title", "authors"} <= citation.keys()
    assert citation["version"] == project["version"]
    assert citation["license"] == project["license"]
    for reference in citation["references"]:
        assert {"type", "title", "authors"} <= reference.keys()
