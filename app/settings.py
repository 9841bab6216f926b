"""Every default of the product, and the only reader of the environment."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from .errors import BadOption

APP_VERSION = "0.1.0"
PROGRAM = f"python -m {__name__.partition('.')[0]}"  # app, or longt5_summarizer once installed
LENGTH_WORDS = {"short": 80, "medium": 200, "long": 500}
DEFAULT_LENGTH = "medium"
DEFAULT_MODEL = "bundled"
DEFAULT_BEAMS = 4
MAX_BEAMS = 16
MAX_NEW_TOKENS = 16_384  # of a section's summary: as much as a pass reads
DEFAULT_WINDOW = 16_384
WINDOW_RANGE = (64, 1_000_000)  # a model_max_length outside this is a placeholder, not a window
READABLE = (
    ".pdf", ".docx", ".odt", ".pptx", ".epub", ".html", ".htm", ".xhtml", ".txt", ".text",
    ".srt", ".vtt", ".md", ".markdown",
)  # fmt: skip
MAX_PORT = 65_535
MAX_FILES = 20
MAX_WAITING = 16
MAX_PER_SESSION = 2  # one runs, one waits
KEPT_STATES_BYTES = 512 * 1024**2  # encoder states, for another length or beam width
KEPT_READINGS = 20  # documents read and kept for another run
KEPT_COPIES = 200  # of files that were uploaded, to be read once more
KEPT_JOBS = 50  # finished runs that can still be looked at
GPU_SECONDS = (20, 120)  # least and most asked for, where a GPU is lent per call
KEPT_HOURS, KEPT_HOURS_ON_SPACE = 24, 1  # job folders, after their last change
LINGER_S = 60.0  # on a Space, a run ends so long after its last watcher has gone
QUIET = {
    "GRADIO_ANALYTICS_ENABLED": "False",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_DISABLE_UPDATE_CHECK": "1",
    "DO_NOT_TRACK": "1",
}


def assets_dir() -> Path:
    """The assets folder: inside the installed package, else beside it in a checkout."""
    here = Path(__file__).resolve().parent
    inside = here / "assets"
    return inside if inside.is_dir() else here.parent / "assets"


def data_dir(environ: Mapping[str, str] | None = None) -> Path:
    """Where jobs and uploads of this user are kept; SUMMARIZER_DATA_DIR overrides it."""
    env = os.environ if environ is None else environ
    name = "longt5-summarizer"
    if env.get("SUMMARIZER_DATA_DIR"):
        return Path(env["SUMMARIZER_DATA_DIR"]).expanduser().resolve()
    if env.get("SPACE_ID"):  # a container of its own, whose disk does not last
        return Path(tempfile.gettempdir()).resolve() / name
    if sys.platform == "win32":
        return Path(env.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local") / name
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / name
    return Path(env.get("XDG_DATA_HOME") or Path.home() / ".local" / "share") / name


def upload_dir() -> Path:
    """Where Gradio keeps what it receives and what it offers for download."""
    said = os.environ.get("GRADIO_TEMP_DIR")
    return Path(said).resolve() if said else data_dir() / "uploads"


def private_folder(path: Path) -> Path:
    """The folder, made if needed, open to nobody else; one that the environment names and that is
    there already keeps its mode, and what is in it for us is private. Raises BadOption."""
    try:
        is_anothers = path == data_dir() and path.is_dir()
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not is_anothers:
            path.chmod(0o700)
    except OSError as error:
        reason = (error.strerror or "unknown reason").lower()
        raise BadOption(
            f"The folder {path} cannot be used ({reason}): set SUMMARIZER_DATA_DIR to a folder "
            "that can be written."
        ) from error
    return path


@dataclass(frozen=True)
class Settings:
    """What the web app and the command line start from."""

    host: str = "127.0.0.1"
    port: int | None = None
    model: str = DEFAULT_MODEL
    revision: str | None = None
    device: str = "auto"
    dtype: str = "auto"
    length: str = DEFAULT_LENGTH
    num_beams: int = DEFAULT_BEAMS
    max_input_tokens: int | None = None
    max_waiting: int = MAX_WAITING
    on_space: bool = False
    mcp: bool = False
    zero_gpu: bool = False
    auth: tuple[str, str] | None = None  # user and password that open the page
    no_auth: bool = False  # others on the network may come in without a password
    linger_s: float = LINGER_S

    def __post_init__(self) -> None:
        """Raises BadOption."""
        if self.port is not None and not 1 <= self.port <= MAX_PORT:
            raise BadOption(f"There is no port {self.port}: choose one from 1 to {MAX_PORT}.")

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None) -> Settings:
        """Defaults, changed by the environment where Gradio and Spaces say something. Raises
        BadOption."""
        env = os.environ if environ is None else environ
        port = env.get("GRADIO_SERVER_PORT", "")
        if port and not port.isdecimal():
            raise BadOption(f"GRADIO_SERVER_PORT is {port}: make it a number from 1 to {MAX_PORT}.")
        linger = env.get("SUMMARIZER_LINGER_S", "")
        user, _, password = env.get("SUMMARIZER_AUTH", "").partition(":")
        if env.get("SUMMARIZER_AUTH") and not (user and password):
            raise BadOption("SUMMARIZER_AUTH locks nothing as it is: write it as USER:PASSWORD.")
        return cls(
            host=env.get("GRADIO_SERVER_NAME") or cls.host,
            port=int(port) if port else None,
            on_space=bool(env.get("SPACE_ID")),
            auth=(user, password) if user else None,
            zero_gpu=env.get("SPACES_ZERO_GPU", "").lower() in ("1", "true"),
            linger_s=float(linger) if linger.isdecimal() else LINGER_S,
        )


def moves_cursor(environ: Mapping[str, str] | None = None) -> bool:
    """Whether a terminal does what control sequences say: the old Windows console shows them."""
    env = os.environ if environ is None else environ
    if env.get("TERM") == "dumb":
        return False
    return sys.platform != "win32" or bool(env.get("WT_SESSION") or env.get("TERM"))


def dims_text(environ: Mapping[str, str] | None = None) -> bool:
    """Whether a terminal may also show text dimmed."""
    env = os.environ if environ is None else environ
    return moves_cursor(env) and not env.get("NO_COLOR")


def quiet_environment() -> None:
    """No telemetry, no update checks, uploads in a folder of one's own: set before the libraries
    that look are imported. Raises BadOption."""
    if not os.environ.get("GRADIO_TEMP_DIR"):
        private_folder(data_dir())
        os.environ["GRADIO_TEMP_DIR"] = str(private_folder(data_dir() / "uploads"))
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
