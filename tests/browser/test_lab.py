"""The course as a reader meets it: JupyterLab in a browser, sliders by keyboard, an exercise first
wrong and then right."""

import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

pytestmark = pytest.mark.course
ROOT = Path(__file__).parents[2]
PATIENCE = 120_000  # milliseconds, on a loaded machine
BOOKS = ("00_tour", "05_eq13_term_by_term", "06_nabla_log")
SETTINGS = {
    "notebook-extension/tracker": {"windowingMode": "none"},  # every cell is in the page
    "apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
}
WRONG = "def score_term(mu, log_std, eps):\nreturn eps, eps**2 - 1"
RIGHT = "def score_term(mu, log_std, eps):\nreturn eps / log_std.exp(), eps**2 - 1"


@pytest.fixture(scope="module")
def lab(tmp_path_factory, chromium):
    """Address and token of a server on a copy of the course; nothing is saved in the checkout."""
    home = tmp_path_factory.mktemp("lab")
    shutil.copytree(ROOT / "notebooks", home / "notebooks", ignore=shutil.ignore_patterns("*.py"))
    for name, settings in SETTINGS.items():
        path = home / "settings" / "@jupyterlab" / f"{name}.jupyterlab-settings"
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps(settings))
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    token = secrets.token_hex(16)
    own = {
        "NABLA_FAST": "1",
        "PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")])),
        "IPYTHONDIR": str(home / "ipython"),
        "JUPYTER_CONFIG_DIR": str(home / "config"),
        "JUPYTER_RUNTIME_DIR": str(home / "runtime"),
        "JUPYTERLAB_SETTINGS_DIR": str(home / "settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(home / "workspaces"),
    }
    options = {"ip": "127.0.0.1", "port": port, "open_browser": False, "allow_root": True}
    with (home / "log").open("w") as log:
        server = subprocess.Popen(
            [
                *(sys.executable, "-m", "jupyterlab", f"--IdentityProvider.token={token}"),
                *(f"--ServerApp.{k}={v}" for k, v in options.items()),
                f"--ServerApp.root_dir={home / 'notebooks'}",
            ],
            env={**os.environ, **own},
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            address = f"http://127.0.0.1:{port}"
            wait_for(f"{address}/api?token={token}", server, home / "log")
            yield address, token
        finally:
            os.killpg(server.pid, signal.SIGTERM)
            server.wait(30)


def wait_for(address, server, log):
    for _ in range(240):
        assert server.poll() is None, log.read_text()
        try:
            with urllib.request.urlopen(address):
                return
        except OSError:
            time.sleep(0.5)
    raise AssertionError(log.read_text())


def open_notebook(browser, lab, name):
    address, token = lab
    page = browser.new_page(viewport={"width": 1400, "height": 1000})
    page.set_default_timeout(PATIENCE)
    page.goto(f"{address}/lab/workspaces/{name}/tree/{name}.ipynb?reset&token={token}")
    page.wait_for_selector(".jp-NotebookPanel .jp-CodeCell")
    page.wait_for_selector("text=Python 3 (ipykernel) | Idle")
    return page


def run_all(page):
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
    page.wait_for_function(
        """() => {
            const error = '[data-mime-type="application/vnd.jupyter.error"]';
            if (document.querySelector(error)) return true;
            const claims = [...document.querySelectorAll('.jp-CodeCell')].at(-1);
            return claims.innerText.includes('✓'); // folded, but for what it prints
        }"""
    )
    assert page.locator('[data-mime-type="application/vnd.jupyter.error"]').count() == 0
    folded = page.locator(".jp-InputPlaceholder").all_inner_texts()
    labels = [text.split("\n")[0].strip() for text in folded]
    assert set(labels) == {"# Set-up", "# Solution", "# How this page was checked"}


def cell_with(page, text):
    """The first code cell that has this text."""
    return page.locator(".jp-CodeCell", has_text=text).first


def write(page, cell, source):
    cell.locator(".cm-content").click()
    page.keyboard.press("Control+a")
    first, *rest = source.split("\n")
    page.keyboard.type(first)
    for line in rest:
        page.keyboard.press("Enter")  # the editor indents
        page.keyboard.type(line)
    page.keyboard.press("Shift+Enter")


@pytest.mark.parametrize("name", BOOKS)
def test_run_all_and_move_a_slider_by_keyboard(browser, lab, shots, name):
    page = open_notebook(browser, lab, name)
    run_all(page)
    page.screenshot(path=shots / f"lab-{name}-top.png")
    handle = page.locator(".widget-slider .noUi-handle").first
    box = page.locator(".jp-OutputArea-output", has=page.locator(".widget-slider")).first
    readout, figure = box.locator(".widget-readout").first, box.locator("img").first
    before, drawn = readout.inner_text(), figure.get_attribute("src")
    handle.scroll_into_view_if_needed()
    handle.focus()
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    page.wait_for_function(
        "([image, old]) => image.isConnected ? image.src !== old : true",
        arg=[figure.element_handle(), drawn],
    )
    assert float(readout.inner_text()) > float(before)
    assert box.locator("img").first.get_attribute("src") != drawn
    page.screenshot(path=shots / f"lab-{name}-slider.png")
    page.close()


def test_an_exercise_wrong_and_then_right(browser, lab, shots):
    page = open_notebook(browser, lab, "05_eq13_term_by_term")
    run_all(page)
    feedback = page.locator(".nabla-feedback").first
    assert "○ to do" in feedback.inner_text()
    blank = cell_with(page, "def score_term")
    check = cell_with(page, 'check_exercise("score_term"')
    seen = []
    for source, mark, shot in ((WRONG, "✗ value", "wrong"), (RIGHT, "✓ done", "right")):
        write(page, blank, source)
        check.locator(".cm-content").click()
        page.keyboard.press("Shift+Enter")
        page.wait_for_function(
            "mark => document.querySelector('.nabla-feedback').innerText.includes(mark)", arg=mark
        )
        seen.append(page.locator(".nabla-feedback").first.inner_text())
        check.scroll_into_view_if_needed()
        page.screenshot(path=shots / f"lab-exercise-{shot}.png")
    assert "hint 1 of 2" in seen[0]
    assert "units" in seen[0]
    assert "hint" not in seen[1]
    page.close()
