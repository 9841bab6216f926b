"""Run every test: find a Chromium first, then pytest, with a process for each core.

python -m tests [pytest options]

Files are shared out whole, since the tests of a file share servers. `-n 0` runs all in one process.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
NO_CHROMIUM = (
    "No Chromium found. Install one with: python -m playwright install --with-deps chromium"
)


def can_open_a_page(executable: str | None) -> bool:
    """Return whether Playwright can open a page with a browser; None means Playwright's own."""
    from playwright.sync_api import Error, sync_playwright

    try:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path=executable, args=["--no-sandbox", "--disable-dev-shm-usage"]
            )
            browser.close()
    except (Error, OSError):
        return False
    return True


def chromium_on_path() -> str | None:
    """Return the path of a working Chromium in PATH."""
    found = (shutil.which(name) for name in CHROMIUM_NAMES)
    return next((path for path in found if path and can_open_a_page(path)), None)


def run_unattended(command: list[str], limit_s: float = 600) -> bool:
    """Run a command with no input; return True when it succeeded."""
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, timeout=limit_s, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def install_with_apt() -> str | None:
    """Announce and run apt to install Chromium, as root only; return its path."""
    geteuid = getattr(os, "geteuid", None)  # not on Windows
    if geteuid is None or geteuid() != 0 or not shutil.which("apt-get"):
        return None
    print("No Chromium found: running apt-get update && apt-get install -y chromium", flush=True)
    if run_unattended(["apt-get", "update"]):
        run_unattended(["apt-get", "install", "-y", "chromium"])
    return chromium_on_path()


def find_chromium() -> tuple[bool, str | None]:
    """Return (found, path); the path of Playwright's own Chromium is None."""
    path = chromium_on_path()
    if path:
        return True, path
    if can_open_a_page(None):
        return True, None
    install = [sys.executable, "-m", "playwright", "install", "chromium"]
    if run_unattended(install) and can_open_a_page(None):
        return True, None
    path = install_with_apt()
    return path is not None, path


def distribution(argv: list[str], cores: int) -> list[str]:
    """Return the options that share the files out among processes, unless the caller did."""
    is_chosen = any(word.startswith(("-n", "--numprocesses", "-p")) for word in argv)
    # The order is that of `tests/conftest.py`, longest files first.
    options = ["-n", str(cores), "--dist", "loadfile", "--no-loadscope-reorder"]
    return [] if is_chosen or cores < 2 else options


def main(argv: list[str]) -> int:
    """Return pytest's exit code, or 1 when no Chromium can be found or installed."""
    found, path = find_chromium()
    if not found:
        print(NO_CHROMIUM, file=sys.stderr)
        return 1
    env = dict(os.environ)
    # The tests start hundreds of processes: each would compile every module anew.
    env.pop("PYTHONDONTWRITEBYTECODE", None)
    if path:
        env["CHROMIUM"] = path
    root = Path(__file__).resolve().parent.parent
    cores = os.cpu_count() or 1
    command = [sys.executable, "-m", "pytest", *distribution(argv, cores), *argv]
    return subprocess.run(command, cwd=root, env=env, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
