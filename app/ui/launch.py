"""Start the page: for `python app.py`, `python -m app serve`, a Space, or a desktop window."""

from __future__ import annotations

import argparse
import contextlib
import errno
import functools
import gc
import importlib.util
import multiprocessing
import os
import signal
import sys
import threading
import webbrowser
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ..arguments import (
    Parser,
    add_device_options,
    add_model_options,
    add_verbose_option,
    add_version_option,
    set_log_level,
)
from ..cli_files import expand_wildcards
from ..documents.limits import MAX_FILE_BYTES
from ..errors import BadOption
from ..optional_packages import install_command
from ..runs.arenas import share_arenas
from ..settings import (
    MAX_BEAMS,
    PAGE_PROGRAM,
    Settings,
    assets_dir,
    data_dir,
    quiet_environment,
    upload_dir,
)
from ..summary.models import resolve_model
from .hosts import require_access_choice, require_host, serves_only_this_computer
from .opened_files import OpenedFiles, opened_files

if TYPE_CHECKING:
    import gradio as gr

    from ..runs.service import Service
    from ..runs.stop import StopSignal
    from .handlers import Handlers
    from .security import Guard

# Well above all handlers that may wait at once (`wiring.MAX_WATCHERS` of each event), with room for
# Stop and Forget, which must not wait for any of them. A thread is started when it is needed.
MAX_THREADS = 1_200
MAX_QUEUED_EVENTS = 64
MAX_SESSIONS = 10_000  # a limit that none reaches, since idle sessions are dropped
QUEUE_POLL_S = 0.01  # Gradio looks for new events every millisecond otherwise
# After a signal to terminate. Docker and systemd kill a process some ten seconds later.
CLOSING_S = 2.0  # that a section being written has
STREAMS_CLOSING_S = 0.5  # that open streams have
LONGEST_CLOSING_S = 4.0  # then the process ends, whatever is still being closed


def main(argv: Sequence[str] | None = None) -> int:
    """Serve the page until it is closed. Return the exit code 0; raises AppError."""
    settings = Settings.from_env()
    options = build_serve_parser(settings).parse_args(sys.argv[1:] if argv is None else [*argv])
    set_log_level(options)
    settings = replace(
        settings,
        host=options.host,
        port=options.port,
        model=options.model,
        revision=options.revision,
        device=options.device,
        dtype=options.dtype,
        num_beams=options.num_beams,
        max_input_tokens=options.max_input_tokens,
        auth=options.auth or settings.auth,
        no_auth=options.no_auth,
        allowed_hosts=tuple(options.allowed_host),
        behind_proxy=options.behind_proxy,
        allowed_models=tuple(options.allow_model),
        mcp=options.mcp,
    )
    try:
        serve(settings, options.files, desktop=options.desktop, browser=options.open)
    except KeyboardInterrupt:
        print("Stopped.", file=sys.stderr)
        _leave()
    return 0


def _leave() -> None:
    """End this process now: all is closed, and a computation cannot be waited for.

    Otherwise the interpreter waits for a kernel that is being compiled, or a step of a model.
    """
    for child in multiprocessing.active_children():
        child.kill()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError, OSError, ValueError):
            stream.flush()
    os._exit(0)


def build_serve_parser(settings: Settings) -> Parser:
    """Return the parser of app.py; its defaults are the given settings."""
    parser = Parser(prog=PAGE_PROGRAM, description="Start the summarizer's page on this computer.")
    option = parser.add_argument
    option(
        "files",
        nargs="*",
        metavar="FILE",
        help="opened in the page, which is shown in the browser (or the window of --desktop)",
    )
    _add_network_options(parser, settings)
    add_model_options(parser, settings)
    option(
        "--allow-model",
        action="append",
        default=[],
        metavar="M",
        help="a model that the page may load besides --model and the named ones: a name on the "
        "hub, a folder, or a folder of such folders; may be repeated",
    )
    add_device_options(parser, settings)
    option(
        "--num-beams",
        type=int,
        default=settings.num_beams,
        metavar="N",
        choices=range(1, MAX_BEAMS + 1),
        help="beams selected when the page opens (default: %(default)s)",
    )
    option(
        "--max-input-tokens",
        type=int,
        metavar="N",
        help="tokens per pass (default: the model's window)",
    )
    option(
        "--mcp",
        action="store_true",
        help=f"also serve the API as MCP tools (needs {install_command('mcp')})",
    )
    option(
        "--desktop",
        action="store_true",
        help="open the page in a window of its own (needs pywebview; otherwise in the browser)",
    )
    option("--open", action="store_true", help="open the page in the browser")
    add_version_option(parser)
    add_verbose_option(parser)
    return parser


def _add_network_options(parser: Parser, settings: Settings) -> None:
    """Add the options that say where the page listens and who may use it there."""
    option = parser.add_argument
    option(
        "--host",
        default=settings.host,
        metavar="H",
        help="address to listen on; 0.0.0.0 lets other computers connect (default: %(default)s)",
    )
    option(
        "--port",
        type=int,
        default=settings.port,
        metavar="P",
        help="port to listen on (default: the first free one from 7860)",
    )
    option(
        "--auth",
        type=parse_auth,
        metavar="USER:PASSWORD",
        help="ask for this user and password; SUMMARIZER_AUTH sets them too, hidden from other "
        "users of this computer",
    )
    option(
        "--no-auth",
        action="store_true",
        help="let everyone on the network open the page without a password",
    )
    option(
        "--allowed-host",
        action="append",
        default=[],
        metavar="NAME",
        help="a name under which the page is opened, besides this computer's own; .example.org "
        "means all names below it; may be repeated",
    )
    option(
        "--behind-proxy",
        action="store_true",
        help="believe the X-Forwarded headers of the proxy in front of the page",
    )


def parse_auth(text: str) -> tuple[str, str]:
    """Return (user, password) from USER:PASSWORD, for argparse."""
    user, colon, password = text.partition(":")
    if not (user and colon and password):
        raise argparse.ArgumentTypeError("write it as USER:PASSWORD")
    return user, password


def require_mcp(settings: Settings) -> None:
    """Raise BadOption when --mcp cannot be served."""
    if settings.mcp and settings.auth:
        raise BadOption(
            "--mcp cannot ask for a password: leave --auth and SUMMARIZER_AUTH out and let a proxy "
            "ask for it, or leave --mcp out."
        )
    if settings.mcp and not importlib.util.find_spec("mcp"):
        raise BadOption(f"--mcp needs the package “mcp”: run {install_command('mcp')}.")


def create_app(
    settings: Settings, opened: OpenedFiles | None = None
) -> tuple[gr.Blocks, Handlers, Guard]:
    """Return the page, not yet running, the handlers behind it, and the guard in front of it."""
    quiet_environment()  # Gradio reads these variables when it is imported
    from ..runs.service import Service
    from .body_limits import UploadQuota
    from .downloads import delete_rests, delete_unread
    from .handlers import Handlers
    from .layout import build_page
    from .security import Guard

    service = Service(settings, _zero_gpu_function(settings))
    guard = Guard(settings, UploadQuota(lambda: [upload_dir(), data_dir() / "reading"]))
    if upload_dir() == data_dir() / "uploads":  # GRADIO_TEMP_DIR may hold files of other programs
        guard.delete_rests = delete_rests
    handlers = Handlers(service, streams=guard.streams, opened=opened or OpenedFiles())
    page = build_page(handlers, settings)
    guard.session_of_event = functools.partial(_session_of_event, page)
    guard.unfinished_events = functools.partial(_unfinished_events, page)
    service.tidy(handlers.expire, lambda age_s: delete_unread(page.upload_file_set))
    return page, handlers, guard


def _session_of_event(page: gr.Blocks, event_id: str) -> str:
    """Return the session that a call of the API belongs to: its own id where it named none."""
    event = page._queue.event_ids_to_events.get(event_id)
    return str(event.session_hash) if event else event_id


def _unfinished_events(page: gr.Blocks, visitor: str) -> int:
    """Return how many events of a visitor wait or run."""
    clients = [event.request.client for event in list(page._queue.event_ids_to_events.values())]
    return sum(client is not None and client.host == visitor for client in clients)


def serve(
    settings: Settings, files: Sequence[str] = (), desktop: bool = False, browser: bool = False
) -> None:
    """Run until interrupted or the window is closed. Raises ModelNotFound and BadOption."""
    opened = opened_files(expand_wildcards(files), settings)
    require_access_choice(settings)
    require_host(settings.host)
    resolve_model(settings.model, settings.revision)
    require_mcp(settings)
    share_arenas()
    print("Starting the page, which takes some seconds.", file=sys.stderr, flush=True)
    with _interrupt_on_terminate(), _full_disk_in_words():
        page, handlers, guard = create_app(settings, opened)
        try:
            url = opened.address(start(page, guard))
            if not settings.zero_gpu:
                _preload_model(handlers.service)
            _announce(url, settings)
            if (browser or files) and not desktop:
                webbrowser.open(url)
            if desktop:
                from ..desktop import show

                show(url)
            else:
                _wait_for_interrupt()
        finally:
            handlers.close(CLOSING_S)
            # Gradio waits up to 5 s for streams that are open, and its thread is a daemon.
            closing = threading.Thread(target=page.close, args=(False,), daemon=True)
            closing.start()
            closing.join(STREAMS_CLOSING_S)


@contextlib.contextmanager
def _full_disk_in_words() -> Iterator[None]:
    """Raise BadOption, which names the folder, where the page finds no room on the disk."""
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise BadOption(
            f"The disk with the folder “{data_dir()}”, which holds runs and uploads, is full: free "
            "some space there, or name another folder in SUMMARIZER_DATA_DIR."
        ) from error


def _wait_for_interrupt() -> None:
    """Wait until Ctrl-C or a signal to terminate ends the page."""
    while True:
        threading.Event().wait(3600)


@contextlib.contextmanager
def _interrupt_on_terminate() -> Iterator[None]:
    """Treat SIGTERM, by which containers and services are stopped, as Ctrl-C."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def on_terminate(number: int, frame: Any) -> None:
        watchdog = threading.Timer(LONGEST_CLOSING_S, _leave)
        watchdog.daemon = True
        watchdog.start()
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, on_terminate)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def start(page: gr.Blocks, guard: Guard) -> str:
    """Start serving in the background and return the URL. Raises BadOption."""
    import gradio as gr

    from .mcp_words import describe_files
    from .sessions import start_dropping
    from .silent_connections import allow_many_files

    allow_many_files()
    settings, assets = guard.settings, assets_dir()
    page.queue(max_size=MAX_QUEUED_EVENTS, default_concurrency_limit=8, api_open=False)
    page._queue.sleep_when_free = QUEUE_POLL_S
    try:
        _, url, _ = page.launch(
            server_name=settings.host,
            server_port=settings.port,
            auth=settings.auth,
            share=False,
            prevent_thread_lock=True,
            quiet=True,
            show_error=False,
            run_history=False,
            ssr_mode=False,
            enable_monitoring=False,
            mcp_server=settings.mcp,
            max_file_size=MAX_FILE_BYTES,
            max_threads=MAX_THREADS,
            app_kwargs={
                "middleware": _middleware(guard),
                "openapi_url": None,  # FastAPI would serve it without a login
            },
            allowed_paths=[str(assets / "examples")],
            blocked_paths=[str(data_dir() / name) for name in ("jobs", "reading")],
            state_session_capacity=MAX_SESSIONS,
            footer_links=["api", "settings"],
            favicon_path=str(assets / "favicon.svg"),
            theme=_theme(gr),
            css_paths=str(assets / "style.css"),
            head=f"<script>{(assets / 'page.js').read_text(encoding='utf-8')}</script>",
        )
    except OSError as error:
        ports = f"port {settings.port} is" if settings.port else "ports 7860 to 7959 are"
        raise BadOption(
            f"The page cannot start on {settings.host}: {ports} in use; choose another one with "
            "--port."
        ) from error
    start_dropping(page, guard)
    if page.mcp_server_obj:
        describe_files(page.mcp_server_obj)
    return str(url)


def _middleware(guard: Guard) -> list[Any]:
    """Return what stands in front of Gradio, the outermost first."""
    from starlette.middleware import Middleware

    from .page_cache import PageCache
    from .security import SecurityMiddleware

    cache = [] if guard.settings.auth else [Middleware(PageCache)]  # a login changes the page
    return [Middleware(SecurityMiddleware, guard=guard), *cache]


def _theme(gr: Any) -> Any:
    """Return a theme of one hue with system fonts, so that nothing is fetched."""
    fonts = ["ui-sans-serif", "system-ui", "sans-serif"]
    mono = ["ui-monospace", "Consolas", "monospace"]
    theme = gr.themes.Default(
        primary_hue="teal", neutral_hue="slate", font=fonts, font_mono=mono, radius_size="md"
    )
    # Gradio's own colours have a contrast of 2.5 to 1 on white; WCAG AA asks for 4.5.
    return theme.set(
        color_accent="*primary_700",
        button_primary_background_fill="*primary_700",
        button_primary_background_fill_dark="*primary_700",
        button_primary_background_fill_hover="*primary_800",
        button_primary_background_fill_hover_dark="*primary_800",
        checkbox_background_color_selected_dark="*primary_500",
        slider_color_dark="*primary_500",
        checkbox_border_color="*neutral_500",
        checkbox_border_color_dark="*neutral_400",
        body_text_color_subdued="*neutral_500",
        link_text_color_dark="*secondary_400",
    )


def _zero_gpu_function(settings: Settings) -> Callable[..., Iterator[Any]] | None:
    if not settings.zero_gpu:
        return None
    from . import zerogpu

    zerogpu.prepare(settings)
    return zerogpu.summarize_on_gpu


def _preload_model(service: Service) -> None:
    """Load the model and measure its speed while the user is still choosing a file."""

    def load(stop: StopSignal) -> Iterator[Any]:
        settings = service.settings
        _pass_over_lasting_objects()
        service.models.get(settings.model).calibrate(settings.num_beams)
        return iter(())

    service.runner.submit(load, is_preparation=True)


def _pass_over_lasting_objects() -> None:
    """Leave the libraries and the page, which last, out of all later searches for garbage.

    Each search looked at 370,000 objects of theirs: 0.24 s after every run, in which no other
    thread went on. Models are loaded later, because they may be evicted.
    """
    importlib.import_module("longt5.model")  # with torch, which lasts too
    gc.collect()
    gc.freeze()


def _announce(url: str, settings: Settings) -> None:
    print(f"Open {url} in a browser. Press Ctrl-C to stop.", flush=True)
    if not serves_only_this_computer(settings) and not settings.on_space:
        print(
            f"Others on the network can open this page too (host {settings.host}).",
            file=sys.stderr,
            flush=True,
        )
