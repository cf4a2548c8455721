"""Tasks on several threads, each of which computes with one thread of torch's own."""

from __future__ import annotations

import contextvars
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress

import torch

Task = Callable[[], object]


class _Local(threading.local):
    inside = False


_local = _Local()
# One pool starts its threads at a time: torch's default for new threads is one for the process.
_lock = threading.Lock()


def _renew_lock() -> None:
    global _lock  # noqa: PLW0603 - another thread may hold it in the parent
    _lock = threading.Lock()
    _local.inside = False


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_lock)


def run(tasks: Sequence[Task], threads: int | None = None) -> None:
    """Carry out all tasks, on ``threads`` threads (default ``torch.get_num_threads()``).

    One thread, one task, or a call from inside a task: in the caller's own thread. The first error
    is raised again, once the tasks already under way have ended; the others are dropped.
    """
    wanted = min(torch.get_num_threads() if threads is None else threads, len(tasks))
    if wanted <= 1 or _local.inside:
        for task in tasks:
            task()
    else:
        _Pool(tasks, wanted).run()


def alone(task: Task) -> None:
    """Carry out one task with one thread of torch's own, so that its bits rest on nothing else."""
    if _local.inside or torch.get_num_threads() == 1:
        task()
    else:
        _Pool([task], 1).run()


class _Pool:
    """The threads of one call; none of them outlives it, so a later fork meets none."""

    def __init__(self, tasks: Sequence[Task], count: int) -> None:
        self.tasks = iter(tasks)
        self.lock = threading.Lock()
        self.error: BaseException | None = None
        # The caller's, since new threads begin with torch's defaults.
        self.modes = torch.is_inference_mode_enabled(), torch.is_grad_enabled()
        self.barrier = threading.Barrier(count + 1)
        self.threads = [_Thread(self._work) for _ in range(count)]

    def run(self) -> None:
        try:
            with _lock, _intra_op_kept():
                self._start()
            for thread in self.threads:
                thread.wait()
        except BaseException:  # an interrupt, or no more threads to be had
            self._stop()
            raise
        if self.error is not None:
            raise self.error

    def _start(self) -> None:
        try:
            for thread in self.threads:
                thread.start()
            self.barrier.wait()  # each has set its own number of threads; only now put it back
        except BaseException:  # while what new threads begin with is still to be put back
            self._stop()
            raise

    def _work(self) -> None:
        _local.inside = True
        torch.get_num_threads()  # a thread's first parallel work would reset what is set before it
        torch.set_num_threads(1)
        with suppress(threading.BrokenBarrierError):
            self.barrier.wait()
        inference, grad = self.modes
        with torch.inference_mode(inference), torch.set_grad_enabled(grad):
            while (task := self._take()) is not None:
                try:
                    task()
                except BaseException as error:
                    self._fail(error)

    def _take(self) -> Task | None:
        with self.lock:  # an iterator must not be asked by two threads at a time
            return next(self.tasks, None)

    def _fail(self, error: BaseException) -> None:
        with self.lock:
            self.error = self.error or error
            self.tasks = iter(())  # nobody begins another

    def _stop(self) -> None:
        with self.lock:
            self.tasks = iter(())
        self.barrier.abort()
        for thread in self.threads:
            thread.wait()


@contextmanager
def _intra_op_kept() -> Iterator[None]:
    """Put back what new threads begin with; ``torch.set_num_threads`` in any thread changes it.

    Reading and setting it also changes the thread that does so, hence a thread of its own.
    """
    known, finished = threading.Event(), threading.Event()

    def keep() -> None:
        count = torch.get_num_threads()
        known.set()
        finished.wait()
        torch.set_num_threads(count)

    keeper = _Thread(keep)
    try:
        keeper.start()
        known.wait()
        yield
    finally:
        finished.set()
        keeper.wait()


class _Thread(threading.Thread):
    """A thread that can be waited for once more after an interrupt.

    Until Python 3.13 a ``join`` that was interrupted takes the running thread for an ended one.
    """

    def __init__(self, work: Callable[[], None]) -> None:
        # A copy for each thread, since a context can be entered by one at a time only.
        super().__init__(target=contextvars.copy_context().run, args=(work,), daemon=True)
        self.ended = threading.Event()

    def run(self) -> None:
        try:
            super().run()
        finally:
            self.ended.set()

    def wait(self) -> None:
        if self.ident is not None:  # else it never began
            self.ended.wait()
            self.join()
