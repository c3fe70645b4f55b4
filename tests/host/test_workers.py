"""Threads with a bounded backlog, which no job can end, and which keep nothing of a job."""

import gc
import subprocess
import sys
import threading
import weakref
from functools import partial

import pytest

from lightbulb.host.errors import Busy
from lightbulb.host.workers import Workers
from tests.host.workflows import DEADLINE, gate


def test_no_more_jobs_are_taken_than_the_limit_and_a_result_is_heard_of_when_there_is_room_again() -> None:
    workers = Workers("bounded", count=1, limit=2)
    with gate() as held:
        first = workers.submit(held.wait)
        second = workers.submit(lambda: "second")
        with pytest.raises(Busy, match="2 requests are under way; try another host"):
            workers.submit(lambda: "third")
        held.open()
        assert second.result(DEADLINE) == "second"
    assert first.done()
    for number in range(100):
        assert workers.submit(partial(int, number)).result(DEADLINE) == number
    workers.close()


def test_a_job_that_is_cancelled_in_time_never_runs_and_counts_until_its_turn() -> None:
    workers, ran = Workers("cancelled", count=1, limit=2), []
    with gate() as held:
        first = workers.submit(held.wait)
        assert workers.submit(partial(ran.append, 1)).cancel()
        with pytest.raises(Busy):
            workers.submit(partial(ran.append, 2))
    first.result(DEADLINE)
    assert workers.submit(partial(ran.append, 3)).result(DEADLINE) is None
    assert ran == [3]
    workers.close()


@pytest.mark.parametrize("error", [ValueError("bad"), SystemExit(3), KeyboardInterrupt()])
def test_whatever_a_job_raises_reaches_who_waits_for_it_and_the_thread_goes_on(error: BaseException) -> None:
    def job() -> None:
        raise error

    workers = Workers("raising", count=1, limit=1)
    assert workers.submit(job).exception(DEADLINE) is error
    assert workers.submit(lambda: "next").result(DEADLINE) == "next"
    workers.close()


def test_closed_workers_finish_what_was_submitted_and_end() -> None:
    workers = Workers("closing", count=2, limit=4)
    threads = [thread for thread in threading.enumerate() if thread.name.startswith("closing-")]
    with gate() as held:
        jobs = [workers.submit(held.wait) for _ in range(4)]
        workers.close()
    for thread in threads:
        thread.join(DEADLINE)
    assert [thread.is_alive() for thread in threads] == [False, False]
    assert all(job.done() for job in jobs)


def test_a_job_that_hangs_doesnt_keep_the_process_from_ending() -> None:
    program = """
import threading
from lightbulb.host.workers import Workers
begun = threading.Event()
workers = Workers("hanging", count=1, limit=2)
workers.submit(lambda: (begun.set(), threading.Event().wait()))
begun.wait()
workers.close()
"""
    subprocess.run([sys.executable, "-c", program], timeout=120, check=True)


class Request:
    def answer(self) -> str:
        return "answer"

    def fail(self) -> str:
        raise ValueError(self)


@pytest.mark.parametrize("method", [Request.answer, Request.fail])
def test_nothing_of_a_job_outlives_it(method) -> None:
    """Requests are large, and the next may be long in coming: no cycle may keep one until a collection."""
    workers = Workers("forgetting", count=1, limit=1)
    request = Request()
    gone = threading.Event()
    weakref.finalize(request, gone.set)
    gc.disable()
    try:
        job = workers.submit(partial(method, request))
        job.exception(DEADLINE)
        del job, request
        assert gone.wait(DEADLINE), "the request is still held"
    finally:
        gc.enable()
    workers.close()
