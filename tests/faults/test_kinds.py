"""One table of mistakes and damage, through the command: a sentence, exit 2, nothing written."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from tests.accelerator_sim.spaces import BASE, FIELDS
from tests.cli.conftest import Run
from tests.faults.formats import preset
from tests.workloads.artifact.test_read import small_artifact
from workloads.support.working import one_writer

MACHINE, COSTS = preset("presets", "vitcod"), preset("cost_tables", "28nm")


@dataclass(frozen=True)
class Fault:
    """Something wrong, how it is met, and what the sentence says.

    Attributes:
        make: Puts it into a folder that has a whole artifact ``a`` and a mask ``m.npy``.
        arguments: Of the command; ``@`` stands for the folder.
        says: A part of the sentence.
    """

    make: Callable[[Path], object]
    arguments: str
    says: str


def machine(old: str, new: str) -> Callable[[Path], object]:
    """A machine in which something is replaced."""
    assert old in MACHINE.decode()
    text = MACHINE.decode().replace(old, new, 1)
    return lambda folder: (folder / "x.toml").write_text(text)


def file(name: str, data: bytes) -> Callable[[Path], object]:
    """A file."""
    return lambda folder: (folder / name).write_bytes(data)


def space(old: str, new: str) -> Callable[[Path], object]:
    """A design space in which something is replaced."""
    assert old in BASE + FIELDS
    return file("x.toml", (BASE + FIELDS).replace(old, new, 1).encode())


def nothing(folder: Path) -> None:
    """Leave the folder as it is."""
    del folder


def flipped(name: str) -> Callable[[Path], object]:
    """One bit of a file of the artifact."""

    def flip(folder: Path) -> None:
        data = bytearray((folder / "a" / name).read_bytes())
        data[-1] ^= 1
        (folder / "a" / name).write_bytes(data)

    return flip


def occupied(folder: Path) -> None:
    """A space, and a directory of other things where its results would go."""
    space("rank", "rank")(folder)
    (folder / "out").mkdir()
    (folder / "out" / "x").touch()


def looping(folder: Path) -> None:
    """A space, and a link to itself where its results would go."""
    space("rank", "rank")(folder)
    (folder / "out").symlink_to("out")


def piped(folder: Path) -> None:
    """A pipe in place of the manifest."""
    (folder / "a" / "manifest.json").unlink()
    os.mkfifo(folder / "a" / "manifest.json")


ON_MASK = "simulate --mask @/m.npy --cycle-model compiled --accelerator "
RUN, SWEEP = ON_MASK + "@/x.toml", "sweep @/x.toml --out @/out"
FAULTS = {
    "lines beyond the limit": Fault(
        machine("lines = 64", "lines = 9223372036854775808"), RUN, "lines must be less than 2^63"
    ),
    "macs beyond the limit": Fault(
        machine("macs_per_line = 8", "macs_per_line = 9223372036854775807"), RUN, "1 to 1048576"
    ),
    "latency of 400 digits": Fault(
        nothing, f"{ON_MASK}vitcod --set dram.latency_ns={'9' * 400}", "of 1329 bits"
    ),
    "a percentage": Fault(
        machine("efficiency = 0.997", "efficiency = 60%"), RUN, "write 0.6 for 60%"
    ),
    "a percentage on the command line": Fault(
        nothing, ON_MASK + "vitcod --set dram.efficiency=60%", "write 0.6 for 60%"
    ),
    "yaml": Fault(file("x.toml", b"name: x\nlines: 64\n"), RUN, "TOML is meant"),
    "a yaml name": Fault(file("x.yaml", MACHINE), ON_MASK + "@/x.yaml", "its file is TOML"),
    "yaml for a space": Fault(file("x.toml", b"workload:\n  model: x\n"), SWEEP, "TOML is meant"),
    "a pipe for a machine": Fault(lambda f: os.mkfifo(f / "x.toml"), RUN, "not a regular file"),
    "a pipe for a space": Fault(lambda f: os.mkfifo(f / "x.toml"), SWEEP, "not a regular file"),
    "a directory for a machine": Fault(lambda f: (f / "x.toml").mkdir(), RUN, "not a regular file"),
    "deep toml": Fault(file("x.toml", b"a = " + b"[" * 1500 + b"]" * 1500), RUN, "nested too deep"),
    "control characters in a key": Fault(
        machine("[bits]", '"a\\n\\u001b[31mb" = 1\n[bits]'), RUN, r"'a\n\x1b[31mb'"
    ),
    "a buffer without room": Fault(
        nothing, ON_MASK + "vitcod --set weight_buffer.capacity_bytes=1", "bytes and a slot has 1"
    ),
    "a rank without room": Fault(
        space("rank = 16", "rank = 100000"), SWEEP, "it allows a rank up to"
    ),
    "tokens beyond the limit": Fault(space("[1, 4]", "[1, 1e12]"), SWEEP, "from 1 to 1048576"),
    "another's name": Fault(space("array-64x64", "array-65x64"), SWEEP, "did you mean array-64x64"),
    "costs of nowhere": Fault(
        space("[workload]", 'costs = "no.toml"\n[workload]'), SWEEP, "no.toml: No such file"
    ),
    "a cut mask": Fault(
        lambda f: (f / "m.npy").write_bytes((f / "m.npy").read_bytes()[:-1]),
        ON_MASK + "vitcod",
        "not a whole .npy file",
    ),
    "an archive for a mask": Fault(file("m.npy", b"PK\3\4"), ON_MASK + "vitcod", "(.npz)"),
    "a flipped bit of weights": Fault(flipped("blocks/000.safetensors"), "verify @/a", "damaged"),
    "a flipped bit of the rest": Fault(flipped("rest.safetensors"), "verify @/a", "damaged"),
    "a flipped bit of the settings": Fault(flipped("config.json"), "verify @/a", "damaged"),
    "a pipe for a manifest": Fault(
        piped,
        "verify @/a",
        "not an artifact",
    ),
    "a sweep over other things": Fault(
        occupied,
        SWEEP,
        "give another --out",
    ),
    "results under a file": Fault(
        nothing, ON_MASK + "vitcod --save @/m.npy/x", "m.npy/x: cannot be written to (Not a dir"
    ),
    "a sweep in a link to itself": Fault(
        looping, SWEEP, "cannot be written to (Too many levels of symbolic links)"
    ),
    "a report where no file can be": Fault(
        nothing, "report @/a --out /proc/x", "/proc/x: cannot be written to (No such file"
    ),
    "an artifact where no file can be": Fault(
        nothing, "compress @/a --out /proc/x", "/proc/x: cannot be written to (No such file"
    ),
}


def state(folder: Path) -> dict[str, object]:
    """Every path, with the bytes of files."""
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else path.is_dir()
        for path in folder.rglob("*")
    }


@pytest.mark.parametrize("name", FAULTS)
def test_command_any_fault_is_one_sentence_exit_2_and_nothing_written(
    name: str, sslc: Run, tmp_path: Path
) -> None:
    fault = FAULTS[name]
    small_artifact(tmp_path)
    np.save(tmp_path / "m.npy", np.eye(16, dtype=bool))
    fault.make(tmp_path)
    before = state(tmp_path)
    done = sslc(*fault.arguments.replace("@", str(tmp_path)).split())
    assert done.returncode == 2, done.stderr
    [sentence] = [line for line in done.stderr.splitlines() if line.startswith("sslc: ")]
    assert fault.says in sentence
    assert sentence.isprintable()
    assert done.stdout == ""
    assert state(tmp_path) == before


def test_command_right_values_in_other_words_are_taken(sslc: Run, tmp_path: Path) -> None:
    """A byte order mark, carriage returns, whole floats: the same cycles."""
    np.save(tmp_path / "m.npy", np.eye(16, dtype=bool))
    plain, other = tmp_path / "plain.toml", tmp_path / "other.toml"
    plain.write_bytes(MACHINE)
    words = MACHINE.replace(b"76_800_000_000", b"76.8e9").replace(b"lines = 64", b"lines = 64.0")
    assert words != MACHINE
    other.write_bytes(b"\xef\xbb\xbf" + words.replace(b"\n", b"\r\n"))
    command = (ON_MASK + "@").replace("@/m.npy", str(tmp_path / "m.npy"))
    runs = [sslc(*command.replace("@", str(path)).split()) for path in (plain, other)]
    assert runs[0].returncode == runs[1].returncode == 0, runs[1].stderr
    assert runs[0].stdout == runs[1].stdout


def test_command_a_held_directory_is_refused_at_once(
    sslc: Run, llama: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    with one_writer(out):
        done = sslc("compress", llama, "--out", out, "--windows", 2, "--window-tokens", 32)
    assert done.returncode == 2
    assert "another run is writing there" in done.stderr
    assert not list(tmp_path.iterdir())
