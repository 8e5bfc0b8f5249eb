"""`nabla doctor`: is everything here that the workbench needs, and does it compute?"""

import importlib.metadata
import os
import platform
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from nabla.table import render

NEEDED = ("numpy", "scipy", "matplotlib", "torch", "tyro", "tqdm", "joblib")
EXTRAS = {
    "notebooks": ("jupyterlab", "ipywidgets"),
    "mujoco": ("gymnasium", "mujoco"),
    "dm": ("shimmy", "dm_control"),
}
ESTIMATES = 100_000
CONSTRAINTS = Path(__file__).parents[1] / "constraints.txt"


@dataclass(frozen=True)
class Line:
    """One thing looked at. trouble: what is wrong and what to do, "" if nothing is."""

    what: str
    found: str
    trouble: str = ""


def doctor() -> int:
    """Versions, threads, devices and a short computation; what is wrong, and what to do.

    Exit status 1 if something that the workbench needs is missing or wrong.
    """
    lines = list(examine())
    print(render(["", "found"], [[line.what, line.found] for line in lines]))
    troubles = [line for line in lines if line.trouble]
    for line in troubles:
        print(f"✗ {line.what}: {line.trouble}")
    if not troubles:
        print("✓ all is well")
    return 1 if troubles else 0


def examine() -> Iterator[Line]:
    """Everything that the doctor looks at, in the order of the table."""
    import torch

    yield python(sys.version_info[:3])
    pins = pinned(CONSTRAINTS)
    for name in NEEDED:
        yield package(name, pins.get(name))
    for extra, names in EXTRAS.items():
        yield from (package(name, extra=extra) for name in names)
    yield threads(torch.get_num_threads(), cores(), os.environ.get("OMP_NUM_THREADS"))
    yield devices()
    yield computation()
    yield half_precision()
    yield speed()


def python(version: tuple[int, ...]) -> Line:
    found = ".".join(map(str, version)) + f", {platform.system()} {platform.machine()}"
    return Line("python", found, "" if version >= (3, 11) else "3.11 or newer is needed")


def pinned(path: Path) -> dict[str, str]:
    """The versions that the tests run with; none outside a checkout."""
    if not path.exists():
        return {}
    return dict(line.split("==") for line in path.read_text().split() if "==" in line)


def package(name: str, pin: str | None = None, extra: str = "") -> Line:
    """extra: of the installation that it belongs to, if it can be done without."""
    try:
        version = importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        if extra:
            return Line(name, f"not installed; `python3 bootstrap.py {extra}` if you want it")
        return Line(name, "missing", "run `python3 bootstrap.py`")
    plain = version.split("+")[0]
    note = f" (tested with {pin})" if pin is not None and plain != pin else ""
    return Line(name, version + note)


def cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def threads(used: int, available: int, setting: str | None) -> Line:
    found = f"{used} of torch on {available} cores; OMP_NUM_THREADS is {setting or 'not set'}"
    trouble = ""
    if used > available:
        trouble = f"more threads than cores: set OMP_NUM_THREADS={available} or less"
    return Line("threads", found, trouble)


def devices() -> Line:
    import torch

    found = ["cpu"]
    if torch.cuda.is_available():
        found += [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    elif torch.version.cuda is not None:
        found.append(f"no GPU, though torch is built for CUDA {torch.version.cuda}")
    if torch.backends.mps.is_available():
        found.append("mps (single precision only)")
    return Line("devices", ", ".join(found))


def computation() -> Line:
    """The identities, once each: the arithmetic of this machine and of these versions."""
    from toy_problems.identities import IDENTITIES

    worst = max(identity(0) for identity in IDENTITIES.values())
    found = f"{len(IDENTITIES)} identities hold to {worst:.0e}"
    return Line("arithmetic", found, "" if worst < 1e-10 else "run `nabla identities`")


def half_precision() -> Line:
    """No trouble: what takes longer is left out."""
    from estimators.processor import SLOW, bfloat16_cost

    cost = bfloat16_cost()
    use = "is refused" if cost > SLOW else "may be used"
    found = f"a product takes {cost:.2g} times as long as in float32: nabla train --bf16 {use}"
    return Line("bfloat16", found)


def speed() -> Line:
    import torch

    from estimators import Gaussian, Noise, Objective, per_sample_gradients, reparameterization

    policy = Gaussian(torch.zeros(6).double(), torch.zeros(6).double())
    objective = Objective(lambda a: torch.cos(a).sum(-1))
    start = time.perf_counter()
    per_sample_gradients(reparameterization, policy, objective, ESTIMATES, Noise())
    seconds = time.perf_counter() - start
    return Line("speed", f"{ESTIMATES:,} single-sample gradients, d = 6, in {seconds:.2f} s")
