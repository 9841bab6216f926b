"""Defaults and limits of the product; the only module that reads the environment."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from .errors import BadOption, FolderUnusable

APP_NAME = "longt5-summarizer"
APP_VERSION = "0.1.0"
IS_CHECKOUT = __name__ == "app.settings"  # the wheel gives the package another name
PROGRAM = "python -m app" if IS_CHECKOUT else APP_NAME
PAGE_PROGRAM = "python app.py" if IS_CHECKOUT else f"{APP_NAME} serve"
LENGTH_WORDS = {"short": 80, "medium": 200, "long": 500}
DEFAULT_LENGTH = "medium"
# Of a summary: fewer words are no sentence, more are read no faster than a document.
SUMMARY_WORDS_RANGE = (20, 5000)
DEFAULT_MODEL = "bundled"
DEFAULT_BEAMS = 4
MAX_BEAMS = 16
MAX_NEW_TOKENS = 16_384  # of a section's summary: as many as a pass reads
DEFAULT_WINDOW = 16_384
WINDOW_RANGE = (64, 1_000_000)  # a model_max_length outside this is a placeholder, not a window
# Bounds of decoding options. No summary repeats a hundred tokens in a row, and penalties beyond
# these leave nothing of the model's own scores.
NGRAM_RANGE = (0, 100)
REPETITION_PENALTY_RANGE = (0.1, 10.0)
LENGTH_PENALTY_RANGE = (-10.0, 10.0)
STDIN_NAME = "stdin"  # of the document that stands on the command line as -
PICTURE_SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".webp")
READABLE_SUFFIXES = (
    ".pdf", ".docx", ".docm", ".dotx", ".odt", ".ott", ".fodt", ".rtf", ".pptx", ".pptm", ".ppsx",
    ".ppsm", ".potx", ".odp", ".otp", ".fodp", ".xlsx", ".xlsm", ".xls", ".ods", ".epub", ".html",
    ".htm", ".xhtml", ".mhtml", ".mht", ".eml", ".mbox", ".ipynb", ".tex", ".latex", ".txt",
    ".text", ".srt", ".vtt", ".ass", ".ssa", ".sbv", ".ttml", ".dfxp", ".lrc", ".md", ".markdown",
    *PICTURE_SUFFIXES,
)  # fmt: skip
KIND_LABELS = {  # of each kind of file, for labels and help texts
    "pdf": "PDF", "docx": "Word", "pptx": "PowerPoint", "sheet": "spreadsheet",
    "odt": "OpenDocument", "odp": "OpenDocument", "rtf": "RTF", "epub": "EPUB", "html": "HTML",
    "mhtml": "MHTML", "mail": "mail", "notebook": "Jupyter notebook", "tex": "LaTeX",
    "markdown": "Markdown", "picture": "scanned picture", "text": "text or subtitles",
}  # fmt: skip
READABLE_KINDS = ", ".join(dict.fromkeys(KIND_LABELS.values()))
MAX_PORT = 65_535
LOOPBACK_HOSTS = ("127.0.0.1", "localhost", "::1")
MAX_FILES = 20  # of one run on the page
MAX_WAITING = 64  # runs in the queue
# Files of a folder that share the model's steps. With more, each step only takes longer.
MAX_AT_ONCE = 8
# Runs of the page that share them. With eight, no more is computed in a second, and the first of
# many that come together wait longer for those behind them (`tests/tools/measure_burst.py`).
PAGE_AT_ONCE = 4
MAX_WAITING_CHARACTERS = 320_000_000  # of their documents, which are in memory: 16 of the longest
MAX_PER_SESSION = 2  # at work or waiting
# Of one visitor of a page that others can open; an office may share one address.
MAX_PER_VISITOR = 4
MAX_VISITOR_CHARACTERS = 20_000_000  # of the documents in the queue: the longest one
MAX_VISITOR_PAGES = 7_000  # of the documents in the queue: the parts of the longest text
MAX_VISITOR_PAGES_READ = 20_000  # an hour: four of the longest documents
MAX_VISITOR_EVENTS = 32  # of open pages and calls that have not ended
# At once; an open page has two, and a process may open 1,024 files and connections by default.
MAX_VISITOR_REQUESTS = 256
MAX_VISITOR_READINGS = 8  # files that wait to be read
MAX_WAITING_READINGS = 64  # files of all visitors
UNHEARD_S = 30.0  # a run of the API ends so long after its caller stopped listening
MAX_LOADED_MODELS = 3  # fewer where the memory is short
MAX_CHECKPOINT_BYTES = (
    15_000_000_000  # of the hub: the largest LongT5 published, 3 billion in float32
)
KEPT_STATES_BYTES = 512 * 1024**2  # encoder states, for another length or beam width
KEPT_STATES_S = 180.0  # on a shared page, after their last use
KEPT_READINGS = 20  # documents in memory for another run
KEPT_COPIES = 200  # uploaded files on disk, to be read again
KEPT_JOBS = 50  # finished runs in memory that can still be viewed
GPU_SECONDS = (20, 120)  # least and most requested, where a GPU is lent per call
KEPT_HOURS, KEPT_HOURS_ON_SPACE = 24, 1  # job folders on disk, after their last change
LINGER_S = 60.0  # on a shared page, a run ends this long after its last watcher has left
QUIET_DEFAULTS = {
    "GRADIO_ANALYTICS_ENABLED": "False",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_DISABLE_UPDATE_CHECK": "1",
    "DO_NOT_TRACK": "1",
    # Gradio would keep the times of the last 10,000 events, and compute a table of them by pandas
    # after each event.
    "GRADIO_ANALYTICS_MAX_EVENTS": "1",
    "GRADIO_ANALYTICS_CACHE_FREQUENCY": "1000000000",
    # oneDNN keeps the kernels of the last 1,024 shapes, 2 MB more for each length of a document.
    # The layer by which torch calls it does so too: a quarter of a megabyte each in bfloat16. A run
    # needs some tens.
    "ONEDNN_PRIMITIVE_CACHE_CAPACITY": "64",
    "LRU_CACHE_CAPACITY": "64",
}


def assets_dir() -> Path:
    """Return the assets folder: in the installed package, or next to it in a checkout."""
    here = Path(__file__).resolve().parent
    inside = here / "assets"
    return inside if inside.is_dir() else here.parent / "assets"


def data_dir(environ: Mapping[str, str] | None = None) -> Path:
    """Return the folder of this user's jobs and uploads; SUMMARIZER_DATA_DIR overrides it."""
    env = os.environ if environ is None else environ
    if env.get("SUMMARIZER_DATA_DIR"):
        return Path(env["SUMMARIZER_DATA_DIR"]).expanduser().resolve()
    if env.get("SPACE_ID"):  # in a container, whose disk is temporary anyway
        return Path(tempfile.gettempdir()).resolve() / APP_NAME
    if sys.platform == "win32":
        return Path(env.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local") / APP_NAME
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / APP_NAME
    return Path(env.get("XDG_DATA_HOME") or Path.home() / ".local" / "share") / APP_NAME


def upload_dir() -> Path:
    """Return the folder in which Gradio stores uploads and downloads."""
    chosen = os.environ.get("GRADIO_TEMP_DIR")
    return Path(chosen).resolve() if chosen else data_dir() / "uploads"


def private_folder(path: Path) -> Path:
    """Make a folder that only this user can open, and return it. Raises BadOption.

    A data folder that exists already keeps its mode: the environment may name a shared one, and
    the folders inside it are private.
    """
    try:
        keeps_mode = path == data_dir() and path.is_dir()
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not keeps_mode:
            path.chmod(0o700)
    except OSError as error:
        reason = (error.strerror or "unknown reason").lower()
        raise FolderUnusable(
            f"The folder {path} cannot be used ({reason}): set SUMMARIZER_DATA_DIR to a folder "
            "you can write to."
        ) from error
    return path


@dataclass(frozen=True)
class Settings:
    """The settings with which the page and the command line start."""

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
    max_at_once: int = PAGE_AT_ONCE
    on_space: bool = False
    mcp: bool = False
    zero_gpu: bool = False
    auth: tuple[str, str] | None = None  # user and password of the page
    no_auth: bool = False  # others on the network may use the page without a password
    allowed_hosts: tuple[str, ...] = ()  # more names of the page; ".example.org" means all below
    behind_proxy: bool = False  # a proxy in front says who sent a request
    allowed_models: tuple[str, ...] = ()  # names and folders that visitors may choose too
    linger_s: float = LINGER_S  # on a page that others use

    @property
    def is_shared(self) -> bool:
        """Return True when others than the user of this computer can open the page."""
        return self.behind_proxy or self.on_space or self.host not in LOOPBACK_HOSTS

    def __post_init__(self) -> None:
        """Raise BadOption for a port outside the range."""
        if self.port is not None and not 1 <= self.port <= MAX_PORT:
            raise BadOption(f"There is no port {self.port}: choose one from 1 to {MAX_PORT}.")

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None) -> Settings:
        """Return the defaults, overridden by the variables of Gradio, Spaces and the program.

        Raises BadOption.
        """
        env = os.environ if environ is None else environ
        port = env.get("GRADIO_SERVER_PORT", "")
        if port and not port.isdecimal():
            raise BadOption(f"GRADIO_SERVER_PORT is {port}: make it a number from 1 to {MAX_PORT}.")
        linger = env.get("SUMMARIZER_LINGER_S", "")
        user, _, password = env.get("SUMMARIZER_AUTH", "").partition(":")
        if env.get("SUMMARIZER_AUTH") and not (user and password):
            raise BadOption(
                "SUMMARIZER_AUTH has no user or no password: write it as USER:PASSWORD."
            )
        return cls(
            host=env.get("GRADIO_SERVER_NAME") or cls.host,
            port=int(port) if port else None,
            on_space=bool(env.get("SPACE_ID")),
            auth=(user, password) if user else None,
            zero_gpu=env.get("SPACES_ZERO_GPU", "").lower() in ("1", "true"),
            linger_s=float(linger) if linger.isdecimal() else LINGER_S,
        )


def moves_cursor(environ: Mapping[str, str] | None = None) -> bool:
    """Return True when a terminal obeys control sequences; the old Windows console prints them."""
    env = os.environ if environ is None else environ
    if env.get("TERM") == "dumb":
        return False
    return sys.platform != "win32" or bool(env.get("WT_SESSION") or env.get("TERM"))


def supports_dim_text(environ: Mapping[str, str] | None = None) -> bool:
    """Return True when a terminal may also show dimmed text."""
    env = os.environ if environ is None else environ
    return moves_cursor(env) and not env.get("NO_COLOR")


def quiet_environment() -> None:
    """Turn off telemetry and update checks, make uploads private, bound caches. Raises BadOption.

    Call it before Gradio and PyTorch are imported, which read these variables then.
    """
    if not os.environ.get("GRADIO_TEMP_DIR"):
        private_folder(data_dir())
        os.environ["GRADIO_TEMP_DIR"] = str(private_folder(data_dir() / "uploads"))
    for name, value in QUIET_DEFAULTS.items():
        os.environ.setdefault(name, value)
