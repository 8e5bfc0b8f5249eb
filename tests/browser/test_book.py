"""The book as a reader meets it: from a plain server, with nothing from the network."""

import functools
import http.server
import io
import json
import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from coursebook import NOTEBOOKS
from PIL import Image

from nabla.course.book.contents import COURSE, WAYS

pytestmark = pytest.mark.course
ROOT = Path(__file__).parents[2]
APART = ("exercises-tried",)  # not among the reader's pages
PAGES = [p.stem for p in sorted((ROOT / "docs").glob("*.md")) if p.stem not in APART]
PAGES += [f"notebooks/{name}" for name in NOTEBOOKS]
WIDTHS = (1280, 390)
FAULTS = (Path(__file__).parent / "faults.js").read_text()
PIXELS = "c => c.toDataURL()"


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def html(tmp_path_factory, chromium):
    """The folder of the book: with fast settings, or one that is there, named by NABLA_BOOK."""
    if built := os.environ.get("NABLA_BOOK"):
        return Path(built)
    if shutil.which("npm") is None:
        pytest.skip("no npm: MathJax comes out of its npm package")
    out = tmp_path_factory.mktemp("book")
    code = f"from nabla.course.book.build import *; build(Path({str(out)!r}), fast=True)"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
    return out / "html"


@pytest.fixture(scope="module")
def book(html):
    handler = functools.partial(Quiet, directory=str(html))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def screens(browser):
    """A browser's window for each width, with what it has fetched."""
    windows = {
        width: browser.new_context(
            viewport={"width": width, "height": 900}, has_touch=width < 600, color_scheme="light"
        )
        for width in WIDTHS
    }
    yield windows
    for window in windows.values():
        window.close()


@pytest.fixture
def reader(screens, book):
    """reader(page, width) opens a page; what went wrong meanwhile is asserted in the end."""
    opened, troubles = [], []

    def open_page(name, width=1280):
        page = screens[width].new_page()
        opened.append(page)
        page.set_default_timeout(120_000)
        page.on("console", lambda m: troubles.append(m.text) if m.type == "error" else None)
        page.on("pageerror", lambda e: troubles.append(str(e)))
        page.on(
            "request",
            lambda r: None if r.url.startswith((book, "data:")) else troubles.append(r.url),
        )
        page.goto(f"{book}/{name}.html")
        return page

    yield open_page
    for page in opened:
        page.close()
    assert troubles == []


def brightness(image):
    """Of a figure's upper left corner, which is paper, as the reader sees it."""
    image.scroll_into_view_if_needed()
    box = image.bounding_box()
    clip = {"x": box["x"] + 2, "y": box["y"] + 2, "width": 4, "height": 4}
    pixels = Image.open(io.BytesIO(image.page.screenshot(clip=clip))).convert("L")
    return pixels.getextrema()[1]


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize("width", WIDTHS)
def test_a_page_is_whole(reader, shots, name, width):
    page = reader(name, width)
    assert page.evaluate(FAULTS, width < 600) == []
    page.screenshot(path=shots / f"book-{name.split('/')[-1]}-{width}.png")
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        page.wait_for_function("s => document.documentElement.dataset.theme === s", arg=scheme)
        background = page.evaluate("getComputedStyle(document.body).backgroundColor")
        channels = [int(x) for x in background.strip("rgba()").split(",")[:3]]
        assert (sum(channels) > 3 * 128) == (scheme == "light")
    if width > 600:
        figures = [f for f in page.locator(".bd-article img").all() if f.is_visible()]
        assert [f.get_attribute("src") for f in figures if brightness(f) > 128] == []
    page.screenshot(path=shots / f"book-{name.split('/')[-1]}-{width}-dark.png")


def test_the_landing_page_leads_to_every_notebook(reader, shots):
    page = reader("index")
    cards = page.locator(".ways > div")
    assert cards.count() == len(WAYS)
    for card, way in zip(cards.all(), WAYS, strict=True):
        box = card.bounding_box()
        assert box["y"] + box["height"] < 900, "seen without scrolling"
        steps = [n.number for n in COURSE if way in n.ways.split()]
        assert card.locator(".steps a").all_inner_texts() == steps
    assert page.locator("svg.chart a").count() == len(COURSE)
    targets = {a.get_attribute("href") for a in page.locator(".bd-article a").all()}
    assert {f"notebooks/{name}.html" for name in NOTEBOOKS} <= targets


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_a_page_brings_its_notebook(reader, name):
    page = reader(f"notebooks/{name}")
    link = page.get_by_role("link", name="Download this notebook")
    answer = page.request.get(link.evaluate("a => a.href"))
    assert answer.ok
    assert json.loads(answer.text()) == json.loads(
        (ROOT / "notebooks" / f"{name}.ipynb").read_text()
    )


@pytest.mark.parametrize(
    ("name", "setting"), [("hero-kl", "m"), ("hero-map", "tau"), ("index", "ratio")]
)
def test_a_slider_moves_the_figure(reader, shots, name, setting):
    page = reader(name)
    slider = page.locator(f"input[name={setting}]")
    canvas, says = page.locator(".hero canvas").first, page.locator(".hero-says")
    before, drawn, said = slider.input_value(), canvas.evaluate(PIXELS), says.inner_text()
    slider.focus()
    for _ in range(4):
        page.keyboard.press("ArrowRight")
    assert int(slider.input_value()) == int(before) + 4
    assert canvas.evaluate(PIXELS) != drawn
    if name == "hero-kl":
        assert says.inner_text() != said
    page.screenshot(path=shots / f"book-{name}-moved.png", full_page=True)


def test_what_is_folded_says_what_it_is_and_opens(reader, shots):
    page = reader("notebooks/05_eq13_term_by_term")
    labels = page.locator("details.hide > summary > p.collapsed").all_inner_texts()
    text = (ROOT / "notebooks" / "05_eq13_term_by_term.py").read_text()
    solutions = ["Solution"] * text.count('tags=["solution"]')
    assert labels == ["Set-up", *solutions, "How this page was checked"]
    folded = page.locator("details.hide", has_text="without_score")
    assert folded.count() == 1
    assert not folded.locator("pre").is_visible()
    folded.locator("summary").click()
    assert folded.locator("pre").is_visible()
    assert page.locator(".cell_output img").count() >= 4
    page.screenshot(path=shots / "book-solution.png")


def test_search_finds(reader, shots):
    page = reader("search")
    page.goto(page.url.split("?")[0] + "?q=landing")
    page.wait_for_selector("#search-results li a")
    assert "Eq. 13" in page.locator("#search-results").inner_text()
    page.screenshot(path=shots / "book-search.png")
