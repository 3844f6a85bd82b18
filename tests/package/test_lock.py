"""The lock: every requirement of the project and its extras is in it, with a hash, but torch."""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
LOCK = (ROOT / "requirements/everything.lock").read_text(encoding="utf-8")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
ENTRY = re.compile(
    r"^([a-z0-9.-]+)==(\S+).*\\\n((?:    --hash=sha256:[0-9a-f]{64}(?: \\)?\n)+)", re.M
)


def name_of(requirement: str) -> str:
    return re.split(r"[^\w.-]", requirement)[0].lower().replace("_", "-")


def test_lock_has_every_requirement_but_torch() -> None:
    extras = PROJECT["optional-dependencies"]
    lists = [PROJECT["dependencies"], *extras.values()]
    wanted = {name_of(requirement) for each in lists for requirement in each}
    locked = {entry[0] for entry in ENTRY.findall(LOCK)}
    assert wanted - locked == {"torch"}, "run `make lock`"


def test_lock_has_nothing_but_versions_with_hashes() -> None:
    rest = ENTRY.sub("", LOCK)
    assert [line for line in rest.splitlines() if not line.startswith("#")] == []


def test_lock_names_no_registry_and_no_path() -> None:
    assert "/" not in LOCK
    assert "index" not in LOCK


def test_torch_is_pinned_by_version_alone() -> None:
    text = (ROOT / "requirements/torch.txt").read_text(encoding="utf-8")
    assert re.fullmatch(r"torch==[\d.]+\n", text)
