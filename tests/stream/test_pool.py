"""Tasks run on several threads, and nobody outside them notices."""

from __future__ import annotations

import contextvars
import os
import signal
import subprocess
import sys
import threading
import time

import pytest
import torch

from initkit import stream
from initkit.stream import pool


@pytest.fixture
def two_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def in_new_thread(work):
    results = []
    thread = threading.Thread(target=lambda: results.append(work()))
    thread.start()
    thread.join()
    return results[0]


@pytest.mark.parametrize("threads", [None, 1, 2, 3, 50])
def test_every_task_is_carried_out_once(threads):
    done = []
    stream.run([lambda i=i: done.append(i) for i in range(40)], threads)
    assert sorted(done) == list(range(40))


def test_nothing_to_do_is_no_error():
    stream.run([])


def test_one_thread_or_one_task_runs_in_the_callers_thread():
    seen = []
    stream.run([lambda: seen.append(threading.get_ident())] * 3, 1)
    stream.run([lambda: seen.append(threading.get_ident())], 4)
    assert set(seen) == {threading.get_ident()}


def test_the_default_is_torchs_own_number_of_threads(two_threads):
    meet = threading.Barrier(2, timeout=20)
    stream.run([meet.wait, meet.wait])
    torch.set_num_threads(1)
    seen = []
    stream.run([lambda: seen.append(threading.get_ident())] * 3)
    assert set(seen) == {threading.get_ident()}


def test_a_call_inside_a_task_runs_inline():
    seen = []

    def outer():
        here = threading.get_ident()
        stream.run([lambda: seen.append(threading.get_ident() == here)] * 3, 4)

    stream.run([outer] * 4, 2)
    assert seen == [True] * 12


def test_tasks_compute_with_one_thread_of_torchs_and_others_keep_theirs(two_threads):
    seen = []
    stream.run([lambda: seen.append(torch.get_num_threads())] * 4, 3)
    pool.alone(lambda: seen.append(torch.get_num_threads()))
    assert seen == [1] * 5
    assert torch.get_num_threads() == 2
    assert in_new_thread(torch.get_num_threads) == 2


def test_the_first_error_is_raised_and_the_rest_dropped():
    done = []

    def fail():
        raise ValueError("broken task")

    with pytest.raises(ValueError, match="broken task"):
        stream.run([fail, *(lambda i=i: done.append(i) for i in range(2000))], 2)
    assert len(done) < 2000
    with pytest.raises(ValueError, match="broken task"):
        stream.run([fail], 1)
    with pytest.raises(ValueError, match="broken task"):
        pool.alone(fail)


def test_no_thread_outlives_the_call():
    before = threading.active_count()
    stream.run([lambda: None] * 10, 4)
    assert threading.active_count() == before


def test_threads_see_the_callers_modes_and_context():
    variable = contextvars.ContextVar("variable", default=0)
    variable.set(7)
    seen = []

    def look():
        modes = torch.is_inference_mode_enabled(), torch.is_grad_enabled()
        seen.append((*modes, variable.get()))

    stream.run([look] * 2, 2)
    with torch.no_grad():
        stream.run([look] * 2, 2)
    with torch.inference_mode():
        stream.run([look] * 2, 2)
    assert seen == [(False, True, 7)] * 2 + [(False, False, 7)] * 2 + [(True, False, 7)] * 2


def test_several_threads_may_call_at_once(two_threads):
    key = stream.key(0, "w")
    want = stream.normal_(torch.empty(50_000), key, 0.0, 1.0)
    outs = [torch.zeros(50_000) for _ in range(6)]

    def fill(out):
        step = 10_000
        chunks = range(0, len(out), step)
        stream.run(
            [lambda i=i: stream.normal_(out[i : i + step], key, 0.0, 1.0, i) for i in chunks], 2
        )

    callers = [threading.Thread(target=fill, args=(out,)) for out in outs]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert all(torch.equal(out, want) for out in outs)
    assert in_new_thread(torch.get_num_threads) == 2


def test_an_interrupt_while_waiting_ends_the_threads(monkeypatch):
    waits = []

    def interrupted(self, timeout=None):
        waits.append(self)
        if len(waits) == 1:
            raise KeyboardInterrupt
        return join(self, timeout)

    join = threading.Thread.join
    go = threading.Event()
    tasks = [lambda: go.wait(0.2)] * 50
    work = pool._Pool(tasks, 2)
    for thread in work.threads:
        monkeypatch.setattr(thread, "join", interrupted.__get__(thread))
    with pytest.raises(KeyboardInterrupt):
        work.run()
    assert not any(thread.is_alive() for thread in work.threads)
    stream.run([lambda: None] * 4, 2)


@pytest.fixture
def interrupts():
    """An interrupt raises here, also where tests were started in the background, ignoring it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interrupts")
@pytest.mark.skipif(not hasattr(signal, "pthread_kill"), reason="no signals for threads here")
@pytest.mark.parametrize("call", [pool.alone, lambda task: stream.run([task] * 50)])
def test_an_interrupt_is_raised_once_the_tasks_under_way_have_ended(two_threads, call):
    main, begun, ended = threading.get_ident(), [], []

    def task():
        begun.append(None)
        if len(begun) == 1:
            time.sleep(0.1)  # until the caller waits
            signal.pthread_kill(main, signal.SIGINT)
        time.sleep(0.2)
        ended.append(None)

    with pytest.raises(KeyboardInterrupt):
        call(task)
    assert len(ended) == len(begun) < 50
    assert in_new_thread(torch.get_num_threads) == 2


FORK = """
import os, threading, torch
from initkit import stream
from initkit.stream import pool
torch.set_num_threads(2)
key = stream.key(0, "w")
want = stream.normal_(torch.empty(9000), key, 0.0, 1.0)
def fill(out, path=None):
    stream.run([lambda i=i: stream.normal_(out[i:i+3000], key, 0.0, 1.0, i, path=path)
                for i in range(0, 9000, 3000)], 2)
    return torch.equal(out, want)
assert fill(torch.zeros(9000))
pool._lock.acquire()  # as another thread may at the wrong moment
child = os.fork()
if child == 0:
    good = fill(torch.zeros(9000)) and fill(torch.zeros(9000), "eager")
    good = good and stream.haar(20, 20, key).shape == (20, 20)
    os._exit(0 if good else 1)
pool._lock.release()
status = os.waitpid(child, 0)[1]
print(os.waitstatus_to_exitcode(status), fill(torch.zeros(9000)))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_forked_child_can_go_on():
    run = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", FORK],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert run.stdout.split() == ["0", "True"], run.stderr
