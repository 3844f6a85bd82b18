"""The wheel: it has every file that the packages read, and works from another directory."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("workloads", "sslc", "accelerator_sim", "reports")
RUN = """
import sys, reports
print(reports.__file__)
from reports.cli import main
sys.argv[0] = "sslc"
main()
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of the folder ``SSLC_WHEEL``, or one built for this test, unpacked."""
    folder = tmp_path_factory.mktemp("wheel")
    given = os.environ.get("SSLC_WHEEL")
    (wheel,) = (Path(given) if given else built(folder)).glob("*.whl")
    with zipfile.ZipFile(wheel) as file:
        file.extractall(folder / "site")
    return folder / "site"


def built(folder: Path) -> Path:
    """A folder with a wheel, built without a network from a copy of the sources."""
    sources = folder / "sources"
    sources.mkdir()
    for name in (*PACKAGES, "pyproject.toml", "README.md", "LICENSE"):
        (sources / name).symlink_to(ROOT / name)
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    done = subprocess.run(
        [*command, "--no-index", "--wheel-dir", folder, sources],
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return folder


def test_wheel_has_every_file_of_the_packages_and_nothing_else(installed: Path) -> None:
    def files(root: Path) -> set[str]:
        return {
            path.relative_to(root).as_posix()
            for package in PACKAGES
            for path in (root / package).rglob("*")
            if path.is_file() and "__pycache__" not in path.parts
        }

    assert files(installed) == files(ROOT)
    tops = {path.name for path in installed.iterdir()}
    assert {name for name in tops if not name.endswith(".dist-info")} == set(PACKAGES)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("--version", "."),
        ("list accelerators", "vitcod"),
        ("list studies --toml tiny", "[stages.sslc]"),
        ("attention deit-tiny --cycle-model published", "published"),
    ],
)
def test_wheel_runs_from_another_directory(
    installed: Path, tmp_path: Path, arguments: str, said: str
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", RUN, *arguments.split()],
        cwd=tmp_path, env=os.environ | {"PYTHONPATH": str(installed)},
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    first, _, rest = done.stdout.partition("\n")
    assert Path(first).is_relative_to(installed)
    assert said in rest
