"""One function over many items: in this process, on its cores, or on a dask cluster."""

import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass
from typing import Any

from nabla.foreign import attempt

PATIENCE = 5  # seconds to find a scheduler


@dataclass(frozen=True)
class Done:
    """What became of one item: its result, or the error it died of."""

    index: int
    result: Any
    error: str | None


def pmap(fn: Callable[[Any], Any], items: Sequence[Any], engine: str = "loky") -> Iterator[Done]:
    """fn(item) for all items, yielded as they finish, errors included.

    engine: serial, loky or loky:WORKERS, dask:ADDRESS. One thread a worker, so that results are
    the same bits everywhere. Raises ValueError on an unknown engine or an unreachable scheduler,
    before anything runs. fn and the items must be importable where the workers are.
    """
    kind, _, where = engine.partition(":")
    if kind == "serial" and not where:
        return _serial(fn, items)
    if kind == "loky":
        if where and not (where.isdigit() and int(where) >= 1):
            raise ValueError(f"loky takes a number of workers, as in loky:4, got {engine!r}")
        return _loky(fn, items, int(where or os.cpu_count() or 1))
    if kind == "dask" and where:
        return _dask(fn, items, _connect(where))
    raise ValueError(f"engine must be serial, loky, loky:WORKERS or dask:ADDRESS, got {engine!r}")


def single_threaded(fn: Callable[[Any], Any], item: Any) -> Any:
    """fn(item) on one thread."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return fn(item)
    finally:
        torch.set_num_threads(threads)


def _serial(fn: Callable[[Any], Any], items: Sequence[Any]) -> Iterator[Done]:
    for index, item in enumerate(items):
        found = attempt(single_threaded, fn, item)  # if one fails, the others go on
        failed = isinstance(found, Exception)
        yield Done(index, None, told(found)) if failed else Done(index, found, None)


def _loky(fn: Callable[[Any], Any], items: Sequence[Any], workers: int) -> Iterator[Done]:
    """Never more items submitted than there are workers: when one of them takes a worker down,
    it is among the few that were running, and each of those is tried again alone."""
    from joblib.externals.loky.process_executor import BrokenProcessPool

    waiting = list(enumerate(items))[::-1]
    while waiting:
        suspects: list[tuple[int, Any]] = []
        with _pool(workers) as pool:
            running: dict[Future[Any], tuple[int, Any]] = {}
            while (waiting and not suspects) or running:
                while waiting and not suspects and len(running) < workers:
                    index, item = waiting.pop()
                    running[pool.submit(single_threaded, fn, item)] = (index, item)
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    index, item = running.pop(future)
                    if isinstance(future.exception(), BrokenProcessPool):
                        suspects.append((index, item))
                    else:
                        yield _done(index, future)
        for index, item in suspects:
            with _pool(1) as pool:
                alone = pool.submit(single_threaded, fn, item)
                wait([alone])
                yield _done(index, alone)


def _pool(workers: int) -> Any:
    from joblib.externals.loky import ProcessPoolExecutor

    return ProcessPoolExecutor(workers, initializer=_follow, initargs=(os.getpid(),))


def _follow(driver: int) -> None:
    """A worker ends with its driver, even one that was killed: else it would go on with a cell
    that the next driver begins again."""

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


def _dask(fn: Callable[[Any], Any], items: Sequence[Any], client: Any) -> Iterator[Done]:
    """Not joblib's dask backend: that one waits for ever for a task that kills its worker.

    dask blames every task that was at a worker when it died, once too often: those are tried
    again, each alone.
    """
    from distributed import KilledWorker, as_completed

    with client:
        futures = client.map(single_threaded, [fn] * len(items), items, pure=False)
        order = {future.key: index for index, future in enumerate(futures)}
        pending = as_completed(futures, loop=client.loop)  # type: ignore[no-untyped-call]
        del futures  # or the cluster would keep every result
        suspects = []
        for future in pending:
            if isinstance(future.exception(), KilledWorker):
                suspects.append(order[future.key])
            else:
                yield _done(order[future.key], future)
            future.release()
        for index in suspects:
            yield _done(index, client.submit(single_threaded, fn, items[index], pure=False))


def _done(index: int, future: Any) -> Done:
    error = future.exception()
    return Done(index, None, told(error)) if error else Done(index, future.result(), None)


def told(error: BaseException) -> str:
    """One line."""
    name = type(error).__name__
    if name in ("KilledWorker", "TerminatedWorkerError", "BrokenProcessPool"):
        return f"{name}: it killed its worker"
    return f"{name}: {' '.join(str(error).split())}"[:500]
