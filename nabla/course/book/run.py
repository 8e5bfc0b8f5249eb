"""Run a notebook from top to bottom, as "Run all" does: for tests and for the book."""

import os
import time
from collections.abc import Callable
from pathlib import Path
from queue import Empty
from typing import Any

import nbclient
import nbformat

ROOT = Path(__file__).parents[3]
LOOK = 0.5  # seconds


class Runner(nbclient.NotebookClient):
    """A client that looks for messages every half second: on a loaded machine the event that
    should wake it gets lost now and then, and it would sleep until the cell's time is up."""

    async def async_start_new_kernel_client(self) -> Any:
        client: Any = await super().async_start_new_kernel_client()
        for channel in (client.shell_channel, client.iopub_channel):
            channel.get_msg = _looking(channel.get_msg)
        return client


def _looking(get: Callable[..., Any]) -> Callable[..., Any]:
    async def get_msg(timeout: float | None = None, **options: Any) -> Any:
        end = time.monotonic() + (float("inf") if timeout is None else timeout)
        while (left := end - time.monotonic()) > 0:
            try:
                return await get(timeout=min(LOOK, left), **options)
            except Empty:
                continue
        raise Empty

    return get_msg


def execute(
    path: Path, fast: bool = False, static: bool = False, last: str = ""
) -> tuple[Any, list[float]]:
    """The notebook with its outputs, and the seconds that each code cell took; nbclient's
    CellExecutionError if one raises. static: no widgets. last: code to run in the end, not kept."""
    notebook: Any = nbformat.read(path, 4)  # type: ignore[no-untyped-call]
    if last:
        notebook.cells.append(nbformat.v4.new_code_cell(last))  # type: ignore[no-untyped-call]
    seconds: list[float] = []
    started = 0.0

    def start(**_: Any) -> None:
        nonlocal started
        started = time.perf_counter()

    def stop(**_: Any) -> None:
        seconds.append(time.perf_counter() - started)

    client = Runner(
        notebook,
        timeout=300,
        kernel_name="python3",
        resources={"metadata": {"path": str(path.parent)}},
        on_cell_execute=start,
        on_cell_executed=stop,
    )
    client.execute(env=environment(fast, static))
    if last:
        notebook.cells.pop()
    return notebook, seconds


def environment(fast: bool, static: bool) -> dict[str, str]:
    """This checkout first on the path, inline figures, sliders without widgets in the book."""
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH", "")]))
    own = {"PYTHONPATH": path, "MPLBACKEND": "module://matplotlib_inline.backend_inline"}
    switches = {"NABLA_FAST": fast, "NABLA_STATIC": static}
    return {**os.environ, **own, **{name: str(int(on)) for name, on in switches.items()}}
