"""Run a function over units, here or in forked processes, with results in the units' order."""

from __future__ import annotations

import gc
import multiprocessing
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures import TimeoutError as NotYet
from concurrent.futures.process import BrokenProcessPool
from typing import Any, TypeVar

from threathunting.records import Unit

Result = TypeVar("Result")
Tick = Callable[[int], None]
Work = Callable[[int, Unit, Tick], Result]
"""Called with the unit's number, the unit, and a function to tell how many bytes on disk are done."""

_work: Any = None
_done: Any = None
_stop: Any = None


def run(
    work: Work[Result], units: Sequence[tuple[int, Unit]], workers: int, progress: Tick
) -> Iterator[Result]:
    """Results of ``work`` in the order of ``units``. ``progress`` gets bytes on disk done since it was last told.

    Forked workers share what the parent holds (intel, flags) without a copy. An exception in a worker is
    raised here; OSError where a worker was killed. Leaving the iterator early ends the workers.
    """
    if workers <= 1 or len(units) <= 1:
        for number, unit in units:
            yield work(number, unit, progress)
        return
    global _work, _done, _stop
    context = multiprocessing.get_context("fork")
    _work, _done, _stop = work, context.Value("q", 0), context.Value("b", 0)
    told = 0
    # Frozen, the collector of a worker doesn't touch (and so copy) what the parent holds.
    gc.collect()
    gc.freeze()
    pool = ProcessPoolExecutor(min(workers, len(units)), context, _start)
    try:
        futures: list[Future[Result]] = [pool.submit(_call, number, unit) for number, unit in units]
        for future in futures:
            while True:
                try:
                    result = future.result(timeout=0.2)
                    break
                except NotYet:
                    told = _tell(told, progress)
            told = _tell(told, progress)
            yield result
    except BrokenProcessPool:
        raise OSError(
            "a worker process was killed, perhaps for want of memory; try fewer --workers"
        ) from None
    finally:
        _stop.value = 1
        pool.shutdown(wait=True, cancel_futures=True)
        gc.unfreeze()
        _work = _done = _stop = None


class _StoppedError(Exception):
    """The parent wants no more."""


def _tell(told: int, progress: Tick) -> int:
    done = int(_done.value)
    if done > told:
        progress(done - told)
    return done


def _start() -> None:
    # The parent alone answers Ctrl-C: it ends the workers and keeps the output whole.
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _call(number: int, unit: Unit) -> Any:
    return _work(number, unit, _count)


def _count(size: int) -> None:
    if _stop.value:
        raise _StoppedError
    with _done.get_lock():
        _done.value += size
