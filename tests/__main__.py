"""Run every test: find a Chromium first, then pytest.

python -m tests [pytest options]
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
REMEDY = "No Chromium found. Install one with: python -m playwright install --with-deps chromium"


def starts(executable: str | None) -> bool:
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


def on_machine() -> str | None:
    """A working Chromium from PATH."""
    found = (shutil.which(name) for name in NAMES)
    return next((path for path in found if path and starts(path)), None)


def quietly(command: list[str], limit_s: float = 600) -> bool:
    """Run a command that nobody can answer; True when it succeeded."""
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, timeout=limit_s, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def from_system() -> str | None:
    """Install Chromium with apt, as root only, saying so first."""
    geteuid = getattr(os, "geteuid", None)  # not on Windows
    if geteuid is None or geteuid() != 0 or not shutil.which("apt-get"):
        return None
    print("No Chromium found: running apt-get update && apt-get install -y chromium", flush=True)
    if quietly(["apt-get", "update"]):
        quietly(["apt-get", "install", "-y", "chromium"])
    return on_machine()


def find_chromium() -> tuple[bool, str | None]:
    """(whether there is one, its path or None for Playwright's own)."""
    path = on_machine()
    if path:
        return True, path
    if starts(None):
        return True, None
    install = [sys.executable, "-m", "playwright", "install", "chromium"]
    if quietly(install) and starts(None):
        return True, None
    path = from_system()
    return path is not None, path


def main(argv: list[str]) -> int:
    """Pytest's exit code, or 1 when no Chromium can be had."""
    found, path = find_chromium()
    if not found:
        print(REMEDY, file=sys.stderr)
        return 1
    env = dict(os.environ)
    if path:
        env["CHROMIUM"] = path
    root = Path(__file__).resolve().parent.parent
    command = [sys.executable, "-m", "pytest", *argv]
    return subprocess.run(command, cwd=root, env=env, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
