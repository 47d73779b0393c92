"""Workers as actors of a Ray cluster, which places them and starts them again elsewhere.

Ray, "Actor Fault Tolerance": with `max_restarts` and `max_task_retries` an actor whose process
or node has died is made anew where its resources are free, and its call is made again. The
trial it ran is taken up again by the study's own rules, as after the death of any worker.
"""

from __future__ import annotations

import logging
import os
import signal
import socket
import threading
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from tuner.config import ExecutionSettings, WorkerSettings
from tuner.cores import thread_environment
from tuner.errors import ConfigError, DataError, Interrupted, TunerError
from tuner.service.failures_in_a_row import FailuresInARow

__all__ = ["RayWorkers"]

_log = logging.getLogger(__name__)

_STOP_SECONDS = 7.0
_ANSWER_SECONDS = 10.0
_ERRORS: dict[str, type[TunerError]] = {"ConfigError": ConfigError, "DataError": DataError}
# What psycopg reads beside the URL; passwords among it travel as an actor's argument, which Ray
# neither prints nor shows.
_PASSED_ON = ("PGPASSWORD", "PGSSL")


class RayWorkers:
    """N actors that each serve one study; they end with the body that entered them.

    Parameters
    ----------
    n
        Actors.
    address
        Of the cluster, such as `10.0.0.1:6379` or `ray://10.0.0.1:10001`; None for the
        environment's RAY_ADDRESS, else a cluster on this machine alone.
    resources
        What each actor takes of its node.
    execution
        How it runs its trials.
    storage_url, study_name, output
        As `run_worker` takes them; `output` is looked for at the same place on each node, and
        made there for the cache.
    """

    def __init__(
        self,
        n: int,
        *,
        address: str | None,
        resources: WorkerSettings,
        execution: ExecutionSettings,
        storage_url: str,
        study_name: str,
        output: Path,
    ) -> None:
        try:
            import ray
        except ImportError as error:
            raise ConfigError("--engine ray needs Ray: pip install 'tuner[ray]'.") from error
        self._ray: Any = ray
        self._n = n
        self._address = address or os.environ.get("RAY_ADDRESS")
        _check_address(self._address)
        self._resources = resources
        self._arguments = (
            storage_url,
            study_name,
            str(output.absolute()),
            {name: v for name, v in os.environ.items() if name.startswith(_PASSED_ON)},
            execution,
        )
        self._actors: list[Any] = []
        self._runs: dict[Any, int] = {}
        self._failures = FailuresInARow(n)

    def __enter__(self) -> RayWorkers:
        _connect(self._ray, self._address)
        try:
            self._warn_if_none_fits()
            for place in range(self._n):
                self._actors.append(self._start())
                self._run(place)
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def trial_finished(self) -> None:
        """Hear that the study gets on, so that failures are not in a row."""
        self._failures.trial_finished()

    def tend(self) -> None:
        """Look after the actors; those whose process or node died, Ray starts again itself.

        Raises
        ------
        ConfigError, DataError
            If an actor refused the study; its own words.
        StorageError
            If actors fail five times each without a trial in between.
        """
        ended, _ = self._ray.wait(list(self._runs), num_returns=len(self._runs), timeout=0)
        for run in ended:
            place = self._runs.pop(run)
            try:
                outcome, words = self._ray.get(run)
            except self._ray.exceptions.RayError as error:
                lines = str(error).strip().splitlines() or [type(error).__name__]
                self._failures.add(place, lines[-1])
                self._ray.kill(self._actors[place])
                self._actors[place] = self._start()
            else:
                if outcome in _ERRORS:
                    raise _ERRORS[outcome](f"a worker refused the study: {words}")
            self._run(place)

    def stop(self) -> None:
        """Ask all to hand back their trials; who does not within 7 s is killed."""
        for actor in self._actors:
            actor.stop.remote()
        if self._runs:
            self._ray.wait(list(self._runs), num_returns=len(self._runs), timeout=_STOP_SECONDS)
        for actor in self._actors:
            self._ray.kill(actor)
        self._actors, self._runs = [], {}
        self._ray.shutdown()

    def _start(self) -> Any:
        resources = self._resources
        actor = self._ray.remote(_Actor).options(
            num_cpus=resources.cpus,
            num_gpus=resources.gpus,
            memory=None if resources.memory_gb is None else int(resources.memory_gb * 10**9),
            max_restarts=-1,
            max_task_retries=-1,
            max_concurrency=2,  # it hears `stop` while it runs
        )
        return actor.remote(max(1, int(resources.cpus)), *self._arguments)

    def _run(self, place: int) -> None:
        self._runs[self._actors[place].run.remote()] = place

    def _warn_if_none_fits(self) -> None:
        wanted = {"CPU": self._resources.cpus, "GPU": self._resources.gpus}
        if self._resources.memory_gb is not None:
            wanted["memory"] = self._resources.memory_gb * 10**9
        nodes = [node["Resources"] for node in self._ray.nodes() if node["Alive"]]
        if not any(
            all(node.get(name, 0) >= amount for name, amount in wanted.items()) for node in nodes
        ):
            shown = ", ".join(f"{name} {amount:g}" for name, amount in wanted.items() if amount)
            _log.warning(
                "no node of the cluster has what `workers` asks for (%s): workers begin when one "
                "has joined that does",
                shown,
            )


def _check_address(address: str | None) -> None:
    """Ask whether anybody listens: Ray itself ends the process when nobody does."""
    if address is None or address in ("auto", "local"):
        return
    host, _, port = address.removeprefix("ray://").rpartition(":")
    reason = "it must be HOST:PORT, ray://HOST:PORT or auto"
    if host and port.isdigit():
        try:
            socket.create_connection((host.strip("[]"), int(port)), _ANSWER_SECONDS).close()
        except (OSError, OverflowError) as error:
            reason = str(error)
        else:
            return
    raise ConfigError(
        f"--ray-address must be that of a running Ray cluster; {address!r} is not: {reason}."
    )


def _connect(ray: Any, address: str | None) -> None:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is sent to anybody
    options: dict[str, Any] = {} if address else {"include_dashboard": False}
    # Its lines go where those of other libraries go, in the format that was asked for.
    of_ray = logging.getLogger("ray")
    of_ray.handlers.clear()
    of_ray.propagate = True
    try:
        ray.init(
            address=address,
            namespace="tuner",
            log_to_driver=False,
            configure_logging=False,
            **options,
        )
    except (ConnectionError, RuntimeError, ValueError) as error:
        reason = " ".join(str(error).split())[:300]
        raise ConfigError(
            f"--ray-address must be that of a running Ray cluster; {address!r} is not: {reason}"
        ) from error


class _Actor:
    """One worker, in a process of Ray's."""

    def __init__(
        self,
        threads: int,
        storage_url: str,
        study_name: str,
        output: str,
        environment: Mapping[str, str],
        execution: ExecutionSettings,
    ) -> None:
        os.environ.update(environment)
        # Read by TensorFlow when it is loaded, which happens with the first trial.
        os.environ.update(thread_environment(threads))
        # Into Ray's log files of this actor.
        logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s")
        self._storage_url = storage_url
        self._study_name = study_name
        self._output = Path(output)
        self._execution = execution
        self._stopped = threading.Event()

    def run(self) -> tuple[str, str]:
        """Serve the study; give how it ended and the words to that."""
        from tuner.service.watchers import Watchers
        from tuner.service.worker import run_worker

        try:
            run_worker(
                self._storage_url,
                study_name=self._study_name,
                output=self._output,
                progress=lambda *_: Watchers(),
                stop_requested=self._stop_requested,
                execution=self._execution,
            )
        except Interrupted:
            return "stopped", ""
        except (ConfigError, DataError) as error:
            return type(error).__name__, str(error)
        return "done", ""

    def stop(self) -> None:
        """Ask `run` to hand back its trial and to return."""
        self._stopped.set()

    def _stop_requested(self) -> None:
        if self._stopped.is_set():
            raise Interrupted(signal.SIGTERM)
