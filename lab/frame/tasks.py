# SPDX-License-Identifier: Apache-2.0
"""Run what depends on each other in order, and all the rest at once."""

import collections.abc
import concurrent.futures
import dataclasses
import graphlib


@dataclasses.dataclass(frozen=True)
class Task:
    """A function without arguments and the names of what it needs first."""

    run: collections.abc.Callable[[], object]
    needs: tuple[str, ...] = ()


def run(tasks: collections.abc.Mapping[str, Task]) -> None:
    """Run every task as soon as what it needs is done.

    Needs that are not among the tasks count as done. After a failure no
    further task is started; those that run are waited for.

    :raises Exception: the first failure, as the task raised it
    """
    order = graphlib.TopologicalSorter(
        {
            name: [need for need in task.needs if need in tasks]
            for name, task in tasks.items()
        }
    )
    order.prepare()
    with concurrent.futures.ThreadPoolExecutor(len(tasks) or 1) as pool:
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
