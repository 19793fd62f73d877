# SPDX-License-Identifier: Apache-2.0
"""Run what depends on each other in order, and all the rest at once."""

import collections.abc
import concurrent.futures
import dataclasses
import graphlib

from lab.frame import steps as lab_steps


@dataclasses.dataclass(frozen=True)
class Task:
    """A function without arguments and the names of what it needs first."""

    run: collections.abc.Callable[[], object]
    needs: tuple[str, ...] = ()


def step(
    steps: lab_steps.Steps,
    what: str,
    function: collections.abc.Callable[[], object],
    needs: tuple[str, ...] = (),
) -> Task:
    """Make a task that is one of the steps that the person sees."""

    def run() -> None:
        with steps(what):
            function()

    return Task(run, needs)


def run(tasks: collections.abc.Mapping[str, Task]) -> None:
    """Run every task as soon as what it needs is done.

    Needs that are not among the tasks count as done. After a failure no
    further task is started, and those that run are not waited for.

    :raises Exception: the first failure, as the task raised it
    """
    order = graphlib.TopologicalSorter(
        {
            name: [need for need in task.needs if need in tasks]
            for name, task in tasks.items()
        }
    )
    order.prepare()
    pool = concurrent.futures.ThreadPoolExecutor(len(tasks) or 1)
    try:
        _drain(tasks, order, pool)
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _drain(
    tasks: collections.abc.Mapping[str, Task],
    order: graphlib.TopologicalSorter[str],
    pool: concurrent.futures.Executor,
) -> None:
    running: dict[concurrent.futures.Future[object], str] = {}
    while order.is_active():
        for name in order.get_ready():
            running[pool.submit(tasks[name].run)] = name
        done, _ = concurrent.futures.wait(
            running, return_when=concurrent.futures.FIRST_COMPLETED
        )
        for future in done:
            future.result()
            order.done(running.pop(future))
