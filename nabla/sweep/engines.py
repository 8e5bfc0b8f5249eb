"""One function over many items: in this process, on its cores, or on a dask cluster."""

import ctypes
import json
import logging
import os
import re
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

PATIENCE = 5  # seconds to find a scheduler
GRACE = 5  # seconds to heed that time is up
LATE = 86  # exit status of a worker that did not


class TooLong(BaseException):
    """A cell took longer than it may. Nobody's `except Exception` is to hide it."""


@dataclass(frozen=True)
class Done:
    """What became of one item: its result, or the error it died of."""

    index: int
    result: Any
    error: str | None


def pmap(
    fn: Callable[[Any], Any],
    items: Sequence[Any],
    engine: str = "loky",
    limit: float | None = None,
) -> Iterator[Done]:
    """fn(item), JSON values, for all items, yielded as they finish, errors included; one that takes
    longer than `limit` seconds is such an error.

    engine: serial, loky or loky:WORKERS, dask:ADDRESS. One thread a worker, so that results are
    the same bits everywhere. Raises ValueError on an unknown engine or an unreachable scheduler,
    before anything runs. fn and the items must be importable where the workers are.
    """
    kind, _, where = engine.partition(":")
    if kind == "serial" and not where:
        return _serial(fn, items, limit)
    if kind == "loky":
        if where and not (where.isdigit() and int(where) >= 1):
            raise ValueError(f"loky takes a number of workers, as in loky:4, got {engine!r}")
        return _loky(fn, items, limit, int(where or os.cpu_count() or 1))
    if kind == "dask" and where:
        return _dask(fn, items, limit, _connect(where))
    raise ValueError(f"engine must be serial, loky, loky:WORKERS or dask:ADDRESS, got {engine!r}")


def carried(fn: Callable[[Any], Any], item: Any, limit: float | None, driver: bool = False) -> str:
    """fn(item) on one thread, in JSON: its result, or the error that it ended in, whatever it did
    but to end its process. What comes back is a text, which can always be unpickled.

    driver: it runs in the driver itself, which is not to be killed, but is to heed Ctrl-C.
    """
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with _limited(limit, kill=not driver):
            return json.dumps({"result": fn(item)})
    except BaseException as error:
        if driver and isinstance(error, KeyboardInterrupt):
            raise
        return json.dumps({"error": told(error)})
    finally:
        torch.set_num_threads(threads)


@contextmanager
def _limited(seconds: float | None, kill: bool) -> Iterator[None]:
    """TooLong in this thread, once; where it is not heeded (no line of Python is run) the process
    ends, if it may."""
    if seconds is None:
        yield
        return
    thread, lock, done = threading.get_ident(), threading.Lock(), threading.Event()

    def watch() -> None:
        if done.wait(seconds):
            return
        with lock:
            if not done.is_set():
                late = type("TooLong", (TooLong,), {"__str__": lambda _: f"{seconds:g} s"})
                send = ctypes.pythonapi.PyThreadState_SetAsyncExc
                send(ctypes.c_ulong(thread), ctypes.py_object(late))
        if kill and not done.wait(GRACE):
            os._exit(LATE)

    threading.Thread(target=watch, daemon=True).start()
    try:
        yield
    finally:
        with lock:
            done.set()


def _serial(fn: Callable[[Any], Any], items: Sequence[Any], limit: float | None) -> Iterator[Done]:
    for index, item in enumerate(items):
        yield _read(index, carried(fn, item, limit, driver=True))


def _loky(
    fn: Callable[[Any], Any], items: Sequence[Any], limit: float | None, workers: int
) -> Iterator[Done]:
    """Never more items submitted than there are workers: when one of them takes a worker down,
    it is among the few that were running, and each of those is tried again alone."""
    from joblib.externals.loky.process_executor import BrokenProcessPool

    waiting = list(enumerate(items))[::-1]
    while waiting:
        suspects: list[tuple[int, Any]] = []
        broken = False
        with _pool(workers) as pool:
            running: dict[Future[str], tuple[int, Any]] = {}
            while (waiting and not broken) or running:
                while waiting and not broken and len(running) < workers:
                    index, item = waiting.pop()
                    try:
                        running[pool.submit(carried, fn, item, limit)] = (index, item)
                    except BrokenProcessPool:  # a worker died since; what was running will tell
                        waiting.append((index, item))
                        broken = True
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    index, item = running.pop(future)
                    if isinstance(future.exception(), BrokenProcessPool):
                        suspects.append((index, item))
                        broken = True
                    else:
                        yield _done(index, future)
        for index, item in suspects:
            with _pool(1) as pool:
                alone = pool.submit(carried, fn, item, limit)
                wait([alone])
                yield _done(index, alone)


def _pool(workers: int) -> Any:
    from joblib.externals.loky import ProcessPoolExecutor

    return ProcessPoolExecutor(workers, initializer=_follow, initargs=(os.getpid(),))


def _follow(driver: int) -> None:
    """A worker ends with its driver, even one that was killed: else it would go on with a cell
    that the next driver begins again."""

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the driver's

    def watch() -> None:
        while os.getppid() == driver:
            time.sleep(0.5)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _connect(address: str) -> Any:
    try:
        from distributed import Client
    except ModuleNotFoundError:
        raise ValueError("the dask engine needs python3 bootstrap.py dask") from None
    try:
        return Client(  # type: ignore[no-untyped-call]
            address, timeout=PATIENCE, set_as_default=False
        )
    except (OSError, TimeoutError, ValueError) as error:
        why = str(error).split("\n")[0] or type(error).__name__
        raise ValueError(f"no dask scheduler answers at {address}: {why}") from None


def _dask(
    fn: Callable[[Any], Any], items: Sequence[Any], limit: float | None, client: Any
) -> Iterator[Done]:
    """Not joblib's dask backend: that one waits for ever for a task that kills its worker.

    dask blames every task that was at a worker when it died, once too often: those are tried
    again, each alone.
    """
    from distributed import KilledWorker, as_completed

    for talks in ("distributed", "distributed.client"):  # what went wrong is told once, by us
        logging.getLogger(talks).setLevel(logging.CRITICAL)
    with client:
        given = [fn] * len(items), items, [limit] * len(items)
        futures = client.map(carried, *given, pure=False)
        order = {future.key: index for index, future in enumerate(futures)}
        pending = as_completed(futures, loop=client.loop)  # type: ignore[no-untyped-call]
        del futures  # or the cluster would keep every result
        suspects = []
        for future in pending:
            if isinstance(_error(future), KilledWorker):
                suspects.append(order[future.key])
            else:
                yield _done(order[future.key], future)
            future.release()
        for index in suspects:
            yield _done(index, client.submit(carried, fn, items[index], limit, pure=False))


def _error(future: Any) -> BaseException | None:
    """What it died of; OSError if nobody knows."""
    error = future.exception()
    if future.cancelled():
        raise OSError(
            "the dask scheduler is gone, and what its workers were at with it; what had finished "
            "is recorded: start the sweep again when there is a scheduler"
        )
    return error


def _done(index: int, future: Any) -> Done:
    error = _error(future)
    return Done(index, None, told(error)) if error else _read(index, future.result())


def _read(index: int, answer: str) -> Done:
    found = json.loads(answer)
    return Done(index, found.get("result"), found.get("error"))


def told(error: BaseException) -> str:
    """One line."""
    name, text = type(error).__name__, " ".join(str(error).split())
    if isinstance(error, TooLong) or f"EXIT({LATE})" in text:
        return f"it took longer than it may ({text if isinstance(error, TooLong) else '--limit'})"
    if name in ("KilledWorker", "TerminatedWorkerError", "BrokenProcessPool"):
        how = re.search(r"exit codes of the workers are \{(.*?)\}", text)
        return f"it killed its worker{f' ({how[1]})' if how else ''}"
    if isinstance(error, SystemExit):
        return f"it called exit({error.code!r})"
    return f"{name}: {text}"[:500]
