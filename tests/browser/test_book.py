"""The book as a reader meets it: from a plain server, with nothing from the network."""

import functools
import http.server
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest

pytestmark = pytest.mark.course
ROOT = Path(__file__).parents[2]
ONLY = ("00", "05", "06")
PAGES = ("index", "notebooks/05_eq13_term_by_term", "hero-kl", "hero-map", "testing")
CUT = """() => MathJax.startup.promise.then(() => {
    const left = e => e.getBoundingClientRect().left;
    const cut = e => left(e.firstElementChild) < left(e) - 1;
    const stuck = e => e.scrollWidth > e.clientWidth && getComputedStyle(e).overflowX !== 'auto';
    return [...document.querySelectorAll('div.math')].filter(e => cut(e) || stuck(e)).length;
})"""
PIXELS = "c => c.toDataURL()"


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def book(tmp_path_factory, chromium):
    if shutil.which("npm") is None:
        pytest.skip("no npm: MathJax comes out of its npm package")
    out = tmp_path_factory.mktemp("book")
    code = (
        f"from nabla.course.book.build import *; build(Path({str(out)!r}), fast=True, only={ONLY})"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
    html = out / "html"
    handler = functools.partial(Quiet, directory=str(html))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture
def reader(browser, book):
    """reader(page, width, scheme) opens a page; what went wrong is asserted in the end."""
    opened, troubles = [], []

    def open_page(name, width=1280, scheme="light"):
        context = browser.new_context(
            viewport={"width": width, "height": 900}, color_scheme=scheme, has_touch=width < 600
        )
        page = context.new_page()
        page.set_default_timeout(120_000)
        page.on("console", lambda m: troubles.append(m.text) if m.type == "error" else None)
        page.on("pageerror", lambda e: troubles.append(str(e)))
        page.on(
            "request",
            lambda r: None if r.url.startswith((book, "data:")) else troubles.append(r.url),
        )
        page.goto(f"{book}/{name}.html")
        opened.append(context)
        return page

    yield open_page
    for context in opened:
        context.close()
    assert troubles == []


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_a_page_is_whole(reader, shots, name, width, scheme):
    page = reader(name, width, scheme)
    if "\\(" in page.content() or page.locator(".math").count():
        page.wait_for_selector("mjx-container", state="attached")
        assert page.locator("mjx-merror").count() == 0
        assert page.evaluate(CUT) == 0, "equations are cut and cannot be scrolled to"
    wide = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
    assert wide <= 0, f"{wide} pixels too wide"
    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    channels = [int(x) for x in background.strip("rgba()").split(",")[:3]]
    assert (sum(channels) > 3 * 128) == (scheme == "light")
    page.screenshot(path=shots / f"book-{name.split('/')[-1]}-{width}.png")


@pytest.mark.parametrize(("name", "setting"), [("hero-kl", "m"), ("hero-map", "tau")])
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


def test_solutions_are_folded_and_open(reader, shots):
    page = reader("notebooks/05_eq13_term_by_term")
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
