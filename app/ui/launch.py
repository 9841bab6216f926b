"""Options, then the running page: python app.py, python -m app serve, a Space, a window."""

from __future__ import annotations

import argparse
import importlib.util
import socket
import sys
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
from ..errors import BadOption
from ..settings import (
    MAX_BEAMS,
    PAGE_PROGRAM,
    Settings,
    assets_dir,
    data_dir,
    quiet_environment,
)
from ..summary.models import resolve_model

if TYPE_CHECKING:
    import gradio as gr

    from ..runs.service import Service
    from ..runs.stop import StopSignal

LOOPBACK = ("127.0.0.1", "localhost", "::1")


def main(argv: Sequence[str] | None = None) -> int:
    """Start the page and stay until it is closed; the exit code is 0. Raises AppError."""
    settings = Settings.from_env()
    options = build_parser(settings).parse_args(sys.argv[1:] if argv is None else list(argv))
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
        mcp=options.mcp,
    )
    try:
        serve(settings, desktop=options.desktop, browser=options.open)
    except KeyboardInterrupt:
        print("Stopped.", file=sys.stderr)
    return 0


def build_parser(settings: Settings) -> Parser:
    """The options of app.py; defaults are those of the settings and the environment."""
    parser = Parser(prog=PAGE_PROGRAM, description="Start the summarizer's page on this machine.")
    option = parser.add_argument
    option(
        "--host",
        default=settings.host,
        metavar="H",
        help="address to listen on; 0.0.0.0 lets others in (default: %(default)s)",
    )
    option(
        "--auth",
        type=parse_auth,
        metavar="USER:PASSWORD",
        help="who may open the page (or SUMMARIZER_AUTH, which other users do not see)",
    )
    option(
        "--no-auth",
        action="store_true",
        help="let everyone in who reaches a --host other than this machine",
    )
    option(
        "--port",
        type=int,
        default=settings.port,
        metavar="P",
        help="port (default: the first free one from 7860)",
    )
    add_model_options(parser, settings)
    add_device_options(parser, settings)
    option(
        "--num-beams",
        type=int,
        default=settings.num_beams,
        metavar="N",
        choices=range(1, MAX_BEAMS + 1),
        help="beams to begin with (default: %(default)s)",
    )
    option(
        "--max-input-tokens",
        type=int,
        metavar="N",
        help="tokens read in one pass (default: the model's window)",
    )
    option(
        "--mcp",
        action="store_true",
        help='offer summarize and extract as MCP tools too (needs pip install ".[mcp]")',
    )
    option(
        "--desktop",
        action="store_true",
        help="show the page in a window of its own (needs pywebview, else the browser)",
    )
    option("--open", action="store_true", help="open the page in the browser")
    add_version_option(parser)
    add_verbose_option(parser)
    return parser


def parse_auth(text: str) -> tuple[str, str]:
    """USER:PASSWORD as a pair, for argparse."""
    user, colon, password = text.partition(":")
    if not (user and colon and password):
        raise argparse.ArgumentTypeError("write it as USER:PASSWORD")
    return user, password


def require_lock(settings: Settings) -> None:
    """Raises BadOption when others could come in and nobody has said who, or that all may."""
    if settings.host in LOOPBACK or settings.on_space or settings.auth or settings.no_auth:
        return
    raise BadOption(
        f"On host {settings.host} others on the network could use this page and read what it "
        "summarizes: add --auth USER:PASSWORD, or --no-auth if everyone may."
    )


def require_host(host: str) -> None:
    """Raises BadOption when nothing can listen there: Gradio would try port after port."""
    try:
        name = host[1:-1] if host.startswith("[") and host.endswith("]") else host
        family, kind, protocol, _, address = socket.getaddrinfo(name, 0, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.bind(address)
    except (OSError, UnicodeError) as error:
        reason = (getattr(error, "strerror", None) or "no such name").lower()
        raise BadOption(
            f"The page cannot listen on host {host} ({reason}): choose a name or address of this "
            "machine with --host."
        ) from error


def create_app(settings: Settings) -> tuple[gr.Blocks, Service]:
    """The page, not yet running, and the service behind it."""
    quiet_environment()  # before Gradio is imported
    from ..runs.service import Service
    from .handlers import Handlers
    from .layout import build_page

    service = Service(settings, _lent_gpu(settings))
    handlers = Handlers(service)
    service.tidy(handlers.expire)
    return build_page(handlers, settings), service


def serve(settings: Settings, desktop: bool = False, browser: bool = False) -> None:
    """Run until interrupted or the window is closed. Raises ModelNotFound, BadOption."""
    require_lock(settings)
    require_host(settings.host)
    resolve_model(settings.model, settings.revision)
    if settings.mcp and not importlib.util.find_spec("mcp"):
        raise BadOption('--mcp needs a library more: pip install ".[mcp]" adds it.')
    page, service = create_app(settings)
    try:
        url = start(page, settings, browser=browser and not desktop)
        if not settings.zero_gpu:
            _warm(service)
        _announce(url, settings)
        if desktop:
            from ..desktop import show

            show(url)
        else:
            page.block_thread()
    finally:
        service.runner.close()
        page.close(verbose=False)


def start(page: gr.Blocks, settings: Settings, browser: bool = False) -> str:
    """Begin to serve, in the background; returns the address. Raises BadOption."""
    import gradio as gr

    assets = assets_dir()
    page.queue(max_size=64, default_concurrency_limit=8, api_open=False)
    try:
        _, url, _ = page.launch(
            server_name=settings.host,
            server_port=settings.port,
            auth=settings.auth,
            inbrowser=browser,
            share=False,
            prevent_thread_lock=True,
            quiet=True,
            show_error=False,
            run_history=False,
            ssr_mode=False,
            enable_monitoring=False,
            mcp_server=settings.mcp,
            max_file_size="50mb",
            allowed_paths=[str(assets / "examples")],
            blocked_paths=[str(data_dir() / name) for name in ("jobs", "reading")],
            state_session_capacity=1_000,
            footer_links=["api", "settings"],
            favicon_path=str(assets / "favicon.svg"),
            theme=_theme(gr),
            css_paths=str(assets / "style.css"),
            head=f"<script>{(assets / 'page.js').read_text(encoding='utf-8')}</script>",
        )
    except OSError as error:
        raise BadOption(
            f"The page cannot start on {settings.host}, port {settings.port or '7860 to 7959'}: "
            "it is taken; choose another with --port."
        ) from error
    return str(url)


def _theme(gr: Any) -> Any:
    """Colours from one hue; system fonts, so that nothing is fetched."""
    fonts = ["ui-sans-serif", "system-ui", "sans-serif"]
    mono = ["ui-monospace", "Consolas", "monospace"]
    theme = gr.themes.Default(
        primary_hue="teal", neutral_hue="slate", font=fonts, font_mono=mono, radius_size="md"
    )
    # Gradio's own are too pale to be read: 2.5 to 1 on white, where 4.5 is asked for.
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


def _lent_gpu(settings: Settings) -> Callable[..., Iterator[Any]] | None:
    if not settings.zero_gpu:
        return None
    from . import zerogpu

    zerogpu.prepare(settings)
    return zerogpu.summarize_on_gpu


def _warm(service: Service) -> None:
    """Load the model, and measure the machine once, while the person is still choosing a file."""

    def load(stop: StopSignal) -> Iterator[Any]:
        settings = service.settings
        service.models.get(settings.model).calibrate(settings.num_beams)
        return iter(())

    service.runner.submit(load)


def _announce(url: str, settings: Settings) -> None:
    print(f"Open {url} in a browser. Stop with Ctrl-C.", flush=True)
    if settings.host not in LOOPBACK and not settings.on_space:
        print(
            f"Others on the network can use this page too (host {settings.host}).",
            file=sys.stderr,
            flush=True,
        )
