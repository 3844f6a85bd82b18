"""A real dask and a real ray on loopback: the same bytes, also when a worker is lost."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from accelerator_sim.design_space.backends import Workers
from accelerator_sim.design_space.evaluation import run_sweep
from accelerator_sim.design_space.space import Space
from tests.accelerator_sim.spaces import BASE, FIELDS, space_from
from workloads.support.errors import InputError

_ROOT = Path(__file__).parents[3]


@contextmanager
def _process(*arguments: object) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-m", "distributed.cli." + str(arguments[0])]
    environment = os.environ | {"PYTHONPATH": str(_ROOT)}
    process = subprocess.Popen(
        [*command, *map(str, arguments[1:])], env=environment, cwd=_ROOT,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        yield process
    finally:
        process.kill()
        process.wait()


class Cluster:
    """A scheduler on loopback with workers that can be killed."""

    def __init__(self, stack: ExitStack, *, threads: int = 1, workers: int = 2) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.address = f"127.0.0.1:{probe.getsockname()[1]}"
        host, _, port = self.address.partition(":")
        stack.enter_context(
            _process("dask_scheduler", "--host", host, "--port", port, "--no-dashboard")
        )
        _wait_for(host, int(port))
        self.workers = [
            stack.enter_context(
                _process(
                    "dask_worker", self.address, "--nthreads", threads, "--no-nanny",
                    "--no-dashboard", "--memory-limit", 0, "--local-directory", "/tmp",
                )
            )
            for _ in range(workers)
        ]  # fmt: skip


def _wait_for(host: str, port: int) -> None:
    for _ in range(600):
        with socket.socket() as probe:
            if probe.connect_ex((host, port)) == 0:
                return
        time.sleep(0.05)
    raise TimeoutError("the scheduler did not start")


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with ExitStack() as stack:
        yield Cluster(stack)


def _shards(out: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted((out / "shards").iterdir())}


def _space(folder: Path) -> Space:
    """12 batches of a point each, slow enough that a worker is lost in the middle of one."""
    text = BASE.replace("points = 3", "points = 1").replace("published", "event")
    return space_from(
        folder, text + FIELDS + "tile.rows = 64\ntile.columns = 64\ntile.tokens = 4\n"
    )


def test_run_sweep_on_dask_survives_a_lost_worker_with_the_same_bytes(
    cluster: Cluster, tmp_path: Path
) -> None:
    space = _space(tmp_path)
    whole = run_sweep(space, tmp_path / "here", workers=Workers(1))
    done: list[int] = []

    def lose_one(stage: str, finished: int, total: int) -> None:
        del stage, total
        if finished == 3 and not done:
            done.append(finished)
            cluster.workers[0].send_signal(signal.SIGKILL)

    workers = Workers(1, "dask", cluster.address)
    found = run_sweep(space, tmp_path / "there", workers=workers, progress=lose_one)
    assert done == [3]
    assert cluster.workers[0].wait(timeout=10) == -signal.SIGKILL
    assert found.equals(whole)
    assert _shards(tmp_path / "there") == _shards(tmp_path / "here")


def test_run_sweep_on_a_local_ray_has_the_same_bytes(tmp_path: Path) -> None:
    space = space_from(tmp_path)
    whole = run_sweep(space, tmp_path / "here", workers=Workers(1))
    found = run_sweep(space, tmp_path / "there", workers=Workers(1, "ray", "local"))
    assert found.equals(whole)
    assert _shards(tmp_path / "there") == _shards(tmp_path / "here")


def test_run_sweep_refuses_workers_of_several_threads(tmp_path: Path) -> None:
    with ExitStack() as stack:
        cluster = Cluster(stack, threads=2, workers=1)
        with pytest.raises(InputError, match="start them with --nthreads 1"):
            run_sweep(
                _space(tmp_path), tmp_path / "out", workers=Workers(1, "dask", cluster.address)
            )


def test_run_sweep_without_workers_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with ExitStack() as stack:
        cluster = Cluster(stack, workers=0)
        monkeypatch.setattr("accelerator_sim.design_space.backends._SCHEDULER_SECONDS", 2)
        with pytest.raises(InputError, match=r"has no workers; start some: dask worker 127"):
            run_sweep(
                _space(tmp_path), tmp_path / "out", workers=Workers(1, "dask", cluster.address)
            )


def test_run_sweep_that_is_finished_needs_no_cluster(tmp_path: Path) -> None:
    space, out = space_from(tmp_path), tmp_path / "out"
    whole = run_sweep(space, out, workers=Workers(1))
    assert run_sweep(space, out, workers=Workers(1, "dask", "127.0.0.1:9")).equals(whole)


def test_run_sweep_without_a_scheduler_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("accelerator_sim.design_space.backends._SCHEDULER_SECONDS", 0.5)
    workers = Workers(1, "dask", "127.0.0.1:9")
    with pytest.raises(InputError, match=r"--scheduler 127.0.0.1:9: cannot be reached"):
        run_sweep(_space(tmp_path), tmp_path / "out", workers=workers)


@pytest.mark.parametrize(
    ("backend", "address", "words"),
    [
        ("dsk", "", "unknown backend 'dsk': did you mean dask"),
        ("dask", "", "backend dask needs the address of its cluster"),
        ("loky", "host:1", "backend loky takes no address"),
    ],
)
def test_workers_that_cannot_be_are_refused(backend: str, address: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        Workers(1, backend, address)
