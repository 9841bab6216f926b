"""Start the page: for `python app.py`, `python -m app serve`, a Space, or a desktop window."""

from __future__ import annotations

import argparse
import importlib.util
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
from .hosts import require_access_choice, require_host, serves_only_this_computer

if TYPE_CHECKING:
    import gradio as gr

    from ..runs.service import Service
    from ..runs.stop import StopSignal


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
        mcp=options.mcp,
    )
    try:
        serve(settings, desktop=options.desktop, browser=options.open)
    except KeyboardInterrupt:
        print("Stopped.", file=sys.stderr)
    return 0


def build_serve_parser(settings: Settings) -> Parser:
    """Return the parser of app.py; its defaults are the given settings."""
    parser = Parser(prog=PAGE_PROGRAM, description="Start the summarizer's page on this computer.")
    option = parser.add_argument
    option(
        "--host",
        default=settings.host,
        metavar="H",
        help="address to listen on; 0.0.0.0 lets other computers connect (default: %(default)s)",
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
        "--port",
        type=int,
        default=settings.port,
        metavar="P",
        help="port to listen on (default: the first free one from 7860)",
    )
    add_model_options(parser, settings)
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
        help='also serve the API as MCP tools (needs pip install ".[mcp]")',
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


def parse_auth(text: str) -> tuple[str, str]:
    """Return (user, password) from USER:PASSWORD, for argparse."""
    user, colon, password = text.partition(":")
    if not (user and colon and password):
        raise argparse.ArgumentTypeError("write it as USER:PASSWORD")
    return user, password


def create_app(settings: Settings) -> tuple[gr.Blocks, Service]:
    """Return the page, not yet running, and the service behind it."""
    quiet_environment()  # Gradio reads these variables when it is imported
    from ..runs.service import Service
    from .handlers import Handlers
    from .layout import build_page

    service = Service(settings, _zero_gpu_function(settings))
    handlers = Handlers(service)
    service.tidy(handlers.expire)
    return build_page(handlers, settings), service


def serve(settings: Settings, desktop: bool = False, browser: bool = False) -> None:
    """Run until interrupted or the window is closed. Raises ModelNotFound and BadOption."""
    require_access_choice(settings)
    require_host(settings.host)
    resolve_model(settings.model, settings.revision)
    if settings.mcp and not importlib.util.find_spec("mcp"):
        raise BadOption('--mcp needs the package “mcp”: install it with pip install ".[mcp]".')
    page, service = create_app(settings)
    try:
        url = start(page, settings, browser=browser and not desktop)
        if not settings.zero_gpu:
            _preload_model(service)
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
    """Start serving in the background and return the URL. Raises BadOption."""
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
        ports = f"port {settings.port} is" if settings.port else "ports 7860 to 7959 are"
        raise BadOption(
            f"The page cannot start on {settings.host}: {ports} in use; choose another one with "
            "--port."
        ) from error
    return str(url)


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
        service.models.get(settings.model).calibrate(settings.num_beams)
        return iter(())

    service.runner.submit(load)


def _announce(url: str, settings: Settings) -> None:
    print(f"Open {url} in a browser. Press Ctrl-C to stop.", flush=True)
    if not serves_only_this_computer(settings) and not settings.on_space:
        print(
            f"Others on the network can open this page too (host {settings.host}).",
            file=sys.stderr,
            flush=True,
        )
