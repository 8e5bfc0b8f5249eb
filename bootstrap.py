"""Make .venv with pinned packages, from nothing, with the standard library alone.

    python3 bootstrap.py [EXTRA ...]      extras of pyproject.toml: test, notebooks, mujoco, …

Does nothing when .venv is up to date. torch comes first and alone: on Linux the newest build on
the default index brings several GB of CUDA packages. Set NABLA_TORCH_INDEX to the address that
PyTorch's own "Get started" page shows for your platform with "CPU" chosen to get the small one.
"""

import hashlib
import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
STAMP = VENV / "bootstrap.json"


def main(extras: list[str]) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    known = project["optional-dependencies"]
    for extra in extras:
        if extra not in known:
            sys.exit(f"unknown extra {extra!r}; pyproject.toml has {', '.join(known)}")
    state = recipe()
    done = json.loads(STAMP.read_text()) if STAMP.exists() else {}
    have = done.get("extras", []) if done.get("recipe") == state else None
    if have is not None and set(extras) <= set(have) and PYTHON.exists():
        return
    wanted = sorted({*extras, *(have or done.get("extras", []))} & set(known))
    STAMP.unlink(missing_ok=True)
    if not PYTHON.exists():
        print(f"making {VENV.name} with Python {sys.version.split()[0]}", flush=True)
        if subprocess.run([sys.executable, "-m", "venv", VENV]).returncode:
            sys.exit("python3 -m venv failed: on Debian and Ubuntu, install python3-venv")
    install_torch()
    target = f".[{','.join(wanted)}]" if wanted else "."
    pip("installing the rest", "install", "-c", "constraints.txt", "-e", target)
    STAMP.write_text(json.dumps({"recipe": state, "extras": wanted}))


def install_torch() -> None:
    pins = (ROOT / "constraints.txt").read_text().split()
    pin = next(line for line in pins if line.startswith("torch=="))
    index = os.environ.get("NABLA_TORCH_INDEX")
    source = ["--index-url", index] if index else []
    args = ["install", "-c", "constraints.txt", *source, pin]
    plan = subprocess.run(
        [PYTHON, "-m", "pip", *args, "--dry-run", "--quiet", "--report", "-"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    if plan.returncode == 0:
        packages = [p["metadata"]["name"] for p in json.loads(plan.stdout)["install"]]
        cuda = [p for p in packages if p.startswith(("nvidia-", "triton"))]
        if cuda:
            print(
                f"pip takes a CUDA build of torch with {len(cuda)} CUDA packages, several GB; for "
                "the CPU build stop here and set NABLA_TORCH_INDEX (see bootstrap.py)",
                flush=True,
            )
    pip(f"installing {pin}", *args)


def pip(what: str, *args: str) -> None:
    print(what, flush=True)
    command = [PYTHON, "-m", "pip", "--disable-pip-version-check", *args, "--quiet"]
    if subprocess.run(command, cwd=ROOT).returncode:
        sys.exit(f"{what} failed: pip's own message is above")


def recipe() -> str:
    """What the environment depends on, as a hash."""
    files = [ROOT / name for name in ("pyproject.toml", "constraints.txt", "bootstrap.py")]
    text = b"".join(f.read_bytes() for f in files) + sys.version.encode()
    return hashlib.sha256(text + str(ROOT).encode()).hexdigest()


if __name__ == "__main__":
    if sys.version_info < (3, 11):  # noqa: UP036 — this very line tells an older one
        sys.exit(f"Python 3.11 or newer is needed, this is {sys.version.split()[0]}")
    main(sys.argv[1:])
