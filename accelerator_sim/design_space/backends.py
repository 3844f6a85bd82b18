"""Who evaluates the batches of a sweep, by joblib: processes of this machine, or a cluster.

Before ``evaluation``. A worker gets everything that a batch needs with the batch, apart from files
that its space names: workers on other machines see those under the same paths.
"""

import contextlib
import itertools
import logging
import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import BrokenExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

import joblib

from workloads.support.errors import InputError, unknown_name
from workloads.support.extras import missing

LOKY, DASK, RAY = BACKENDS = ("loky", "dask", "ray")
LOCAL = "local"
"""Ray's address of a cluster that is started on this machine and goes with the sweep."""
_ORPHAN_SECONDS = 10
"""Processes whose sweep was killed finish their batch, wait so long for another, and end."""
_SCHEDULER_SECONDS = 10
_ROUND = 8
"""Batches that each ray worker gets before this process writes them."""
_Made = TypeVar("_Made")


@dataclass(frozen=True)
class Workers:
    """Who evaluates.

    Attributes:
        count: Processes of this machine; a cluster has its own number.
        backend: One of ``BACKENDS``.
        address: ``host:port`` of dask's scheduler or of ray's head, or ``local`` for ray.
    """

    count: int
    backend: str = LOKY
    address: str = ""

    def __post_init__(self) -> None:
        if self.backend not in BACKENDS:
            raise unknown_name("backend", self.backend, BACKENDS)
        if (self.backend == LOKY) != (not self.address):
            raise InputError(
                f"backend {self.backend} takes no address, it has the processes of this machine"
                if self.address
                else f"backend {self.backend} needs the address of its cluster"
            )

    def run(
        self, function: Callable[..., _Made], arguments: Iterable[tuple[Any, ...]]
    ) -> Iterator[_Made]:
        """Results as they come, in any order.

        Args:
            function: Of a module that every worker can import.
            arguments: For each call.

        Raises:
            InputError: A worker was killed, or the cluster cannot be reached or used.
        """
        with _no_worker_lost():
            if self.backend == DASK:
                yield from _by_dask(self.address, function, arguments)
            elif self.backend == RAY:
                yield from _by_ray(self.address, function, arguments)
            elif self.count == 1:
                yield from itertools.starmap(function, arguments)
            else:
                processes = joblib.Parallel(
                    n_jobs=self.count,
                    backend="loky",
                    batch_size=1,
                    pre_dispatch="2*n_jobs",
                    return_as="generator_unordered",
                    idle_worker_timeout=_ORPHAN_SECONDS,
                )
                yield from processes(joblib.delayed(function)(*each) for each in arguments)


def _by_dask(
    address: str, function: Callable[..., _Made], arguments: Iterable[tuple[Any, ...]]
) -> Iterator[_Made]:
    """A batch whose worker is lost goes to another one; dask sees to that."""
    try:
        import distributed
    except ImportError as error:
        raise missing("--backend dask needs", "Dask.distributed", "dask") from error
    try:
        client: Any = distributed.Client(address, timeout=_SCHEDULER_SECONDS)  # type: ignore[no-untyped-call]
    except (OSError, ValueError) as error:
        raise InputError(f"--scheduler {address}: cannot be reached ({error})") from error
    with client, joblib.parallel_config("dask", client=client):
        _refuse_threads(client, address)
        parallel = joblib.Parallel(
            batch_size=1, pre_dispatch="4*n_jobs", return_as="generator_unordered"
        )
        try:
            yield from parallel(joblib.delayed(function)(*each) for each in arguments)
        except distributed.KilledWorker as error:
            raise InputError(
                f"--scheduler {address}: a batch was given up after it had ended several workers "
                f"({error.task}); finished batches stay: run the same command again"
            ) from error


def _refuse_threads(client: Any, address: str) -> None:
    """What is kept between batches is one process's, not made for several threads of it."""
    try:
        client.wait_for_workers(1, timeout=_SCHEDULER_SECONDS)
    except TimeoutError as error:
        raise InputError(
            f"--scheduler {address}: has no workers; start some: dask worker {address} --nthreads 1"
        ) from error
    workers = client.scheduler_info(n_workers=-1)["workers"]
    if any(worker["nthreads"] > 1 for worker in workers.values()):
        raise InputError(
            f"--scheduler {address}: has workers of several threads; start them with --nthreads 1, "
            "one for each core"
        )


def _by_ray(
    address: str, function: Callable[..., _Made], arguments: Iterable[tuple[Any, ...]]
) -> Iterator[_Made]:
    """In rounds, since ray's joblib backend gives results only when all are there."""
    try:
        import ray
        from ray.util.joblib import register_ray
    except ImportError as error:
        raise missing("--backend ray needs", "Ray", "ray") from error
    register_ray()  # type: ignore[no-untyped-call]
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        ray.init(
            address=None if address == LOCAL else address, include_dashboard=False,
            log_to_driver=False, logging_level=logging.ERROR,
        )  # fmt: skip
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise InputError(f"--address {address}: cannot be reached ({error})") from error
    try:
        with joblib.parallel_config("ray"):
            parallel = joblib.Parallel(n_jobs=-1, batch_size=1, pre_dispatch="all")
            size = _ROUND * joblib.effective_n_jobs(-1)
            calls = iter(arguments)
            while together := list(itertools.islice(calls, size)):
                yield from parallel(joblib.delayed(function)(*each) for each in together)
    finally:
        ray.shutdown()


@contextlib.contextmanager
def _no_worker_lost() -> Iterator[None]:
    """A process that is killed, or has too little memory, in one sentence."""
    try:
        yield
    except (BrokenExecutor, MemoryError) as error:
        raise InputError(
            "a worker of the sweep was killed, or had too little memory; finished batches stay: "
            "run the same command again, with fewer --workers where memory is short"
        ) from error
