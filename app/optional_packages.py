"""The command that adds optional packages to this installation."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path

from .settings import APP_NAME, IS_CHECKOUT

# By a file in the folder of an environment that its tool owns, and where nobody can run plain pip.
_OWNERS = {
    "pipx_metadata.json": f"pipx inject {APP_NAME} {{packages}}",
    "uv-receipt.toml": f'uv pip install --python "$(uv tool dir)/{APP_NAME}" {{packages}}',
}


def install_command(extra: str, is_checkout: bool = IS_CHECKOUT, prefix: str = sys.prefix) -> str:
    """Return the command that installs the packages of an extra, such as `pip install ".[ocr]"`.

    It names no folder, since visitors of a page may read it. `prefix`: folder of the environment.
    """
    if is_checkout:
        return f'pip install ".[{extra}]"'
    packages = _packages_of(extra)
    for name, command in _OWNERS.items():
        if (Path(prefix) / name).is_file():
            return command.format(packages=" ".join(packages))
    if importlib.util.find_spec("pip") is None:  # an environment of uvx, made for one start
        return f"uvx {' '.join(f'--with {package}' for package in packages)} {APP_NAME}"
    return f"pip install {' '.join(packages)}"


def _packages_of(extra: str) -> list[str]:
    """Return the requirements of an extra, quoted for a shell, without conditions on the system
    that another system would meet."""
    from importlib import metadata  # takes longer to load than all the rest, and few ask for it

    try:
        requirements = metadata.requires(APP_NAME) or ()
    except metadata.PackageNotFoundError:
        requirements = ()
    wanted = re.compile(rf"""extra == ['"]{re.escape(extra)}['"]""")
    system = re.compile(r"""sys_platform (==|!=) ['"](\w+)['"]""")
    found = []
    for requirement in requirements:
        package, _, condition = requirement.partition(";")
        on = system.search(condition)
        is_here = on is None or (sys.platform == on[2]) == (on[1] == "==")
        if wanted.search(condition) and is_here:
            found.append(f'"{package.strip()}"')
    return found or [f'"{APP_NAME}[{extra}]"']
