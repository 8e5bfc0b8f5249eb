"""`make book`: a static site from the notebooks, executed, and the pages in docs/.

Everything goes to out/book; out/book/html/index.html is the result. MathJax and its font come out
of their npm packages, once; executed notebooks are kept until their text or the code changes.
"""

import hashlib
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import nbformat

from nabla.course.book import door
from nabla.course.book.heroes import script
from nabla.course.book.run import ROOT, execute

OUT = ROOT / "out" / "book"
MATHJAX = "mathjax@4.1.3"  # from 4 on it breaks long formulas where a telephone needs it
FONT = "mathjax-newcm-font"
PARTS = "startup.js", "core.js", "loader.js", "input", "output", "a11y"
BOOK = Path(__file__).parent
CODE = ("estimators", "toy_problems", "sac_minimal", "nabla")  # what notebooks import


def build(out: Path = OUT, fast: bool = False, only: Sequence[str] = ()) -> Path:
    """The folder of the built pages. only: numbers of notebooks, all by default."""
    source = out / "source"
    shutil.rmtree(source, ignore_errors=True)
    shutil.copytree(ROOT / "docs", source)
    shutil.copytree(mathjax(), source / "_static" / "mathjax")
    (source / "_static" / "heroes-data.js").write_text(script())
    door.fill(source / "index.md")
    chosen = [p for p in sorted((ROOT / "notebooks").glob("*.ipynb")) if _among(p, only)]
    for folder in ("notebooks", "downloads"):
        (source / folder).mkdir()
    run = partial(executed, fast=fast)
    with ThreadPoolExecutor(2) as pool:
        for path, text in zip(chosen, pool.map(run, chosen), strict=True):
            (source / "notebooks" / path.name).write_text(with_download(text, path.name))
            shutil.copy(path, source / "downloads")
    html = out / "html"
    shutil.rmtree(html, ignore_errors=True)
    sphinx = [
        sys.executable,
        "-m",
        "sphinx",
        "-b",
        "html",
        "-j",
        "auto",
        "-W",
        "--keep-going",
        "-q",
    ]
    subprocess.run([*sphinx, "-d", out / "doctrees", source, html], check=True)
    return html


def with_download(text: str, name: str) -> str:
    """The executed notebook, with a line below its title: where it is, and how to run it."""
    notebook: Any = nbformat.reads(text, 4)  # type: ignore[no-untyped-call]
    title, rest = notebook.cells[0].source.split("\n", 1)
    line = (
        f"{{download}}`Download this notebook <../downloads/{name}>`. To run it: `make lab` in a "
        "clone of the repository; or `pip install '.[notebooks]'` there, then `jupyter lab`."
    )
    notebook.cells[0].source = f"{title}\n\n{line}\n{rest}"
    return nbformat.writes(notebook)  # type: ignore[no-untyped-call]


def _among(path: Path, only: Sequence[str]) -> bool:
    return not only or path.name[:2] in only


def executed(path: Path, fast: bool = False) -> str:
    """The notebook with outputs, from a cache where nothing that it depends on has changed."""
    code = (f for name in CODE for f in sorted((ROOT / name).rglob("*.py")))
    files = [path, BOOK / "run.py", *(f for f in code if f.parent != BOOK)]
    digest = hashlib.sha256(b"".join(f.read_bytes() for f in files) + bytes([fast])).hexdigest()
    kept = OUT / "executed" / f"{path.stem}-{digest[:16]}.ipynb"
    if not kept.exists():
        print(f"running {path.name}", flush=True)
        notebook, _ = execute(path, fast=fast, static=True)
        kept.parent.mkdir(parents=True, exist_ok=True)
        text = nbformat.writes(notebook)  # type: ignore[no-untyped-call]
        kept.write_text(text)
    return kept.read_text()


def mathjax() -> Path:
    """The folder with MathJax and its font, out of their npm packages, whole or not at all."""
    folder = OUT / MATHJAX
    if not folder.exists():
        npm = shutil.which("npm")
        if npm is None:
            sys.exit("the book needs npm, for MathJax: install Node.js")
        OUT.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=OUT) as part:
            made = Path(part) / "mathjax"
            pick(unpack(npm, MATHJAX, Path(part) / "js"), made, *PARTS)
            font = f"@mathjax/{FONT}@{MATHJAX.split('@')[1]}"
            pick(unpack(npm, font, Path(part) / "font"), made / FONT, "chtml.js", "chtml")
            try:
                made.rename(folder)
            except OSError:  # another build was faster
                if not folder.exists():
                    raise
    return folder


def pick(package: Path, target: Path, *patterns: str) -> None:
    target.mkdir()
    for path in (p for pattern in patterns for p in package.glob(pattern)):
        path.rename(target / path.name)


def unpack(npm: str, name: str, part: Path, tries: int = 5) -> Path:
    """npm may leave before its file is whole on the disk: then it is fetched again."""
    part.mkdir()
    for _ in range(tries):
        subprocess.run([npm, "pack", "--silent", name], cwd=part, check=True)
        (archive,) = part.glob("*.tgz")
        try:
            with tarfile.open(archive) as tar:
                tar.extractall(part, filter="data")
            return part / "package"
        except (EOFError, tarfile.ReadError):
            time.sleep(1)
    sys.exit(f"npm brings {name} in pieces only: try again")
