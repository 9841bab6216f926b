"""What is on the page, and which event calls which handler."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from dataclasses import fields
from html import escape
from typing import Any

import gradio as gr

from ..documents.readers.pdf import ocr as ocr_engine
from ..settings import LENGTH_WORDS, MAX_BEAMS, READABLE_SUFFIXES, Settings, assets_dir
from ..summary.models import CATALOGUE
from . import render
from .api import Api
from .form import Form
from .handlers import Handlers, View
from .page import Page

TITLE = "Long document summarizer"
HEADER = (
    f'<header id="header"><h1>{TITLE}</h1><p>Your document stays on this machine. '
    "A machine writes the summary: check what matters.</p></header>"
)
WATCHERS = 40  # handlers only watch, so many may run; the job runner decides what computes
# A citation, a cell of the strip or a turned page asks for a page; Close for none.
SOURCE_EVENTS = """
element.addEventListener('click', (event) => {
  const button = event.target.closest('[data-page]');
  if (button) {
    const {document, page, passages} = button.dataset;
    trigger('cite', {document: +document, page: +page, passages: JSON.parse(passages)});
  } else if (event.target.closest('.include')) {
    trigger('include');
  } else if (event.target.closest('.close')) {
    trigger('close');
  }
});
"""
OCR_INFO = {
    True: "Slow: some seconds for each page.",
    False: 'It needs a package more, on the machine that runs this page: pip install ".[ocr]"',
}
FORMATS = (
    ("md", "Markdown"), ("txt", "Text"), ("json", "JSON"), ("html", "HTML"), ("docx", "Word")
)  # fmt: skip


def build_page(handlers: Handlers, settings: Settings) -> gr.Blocks:
    """The whole page with its events and its API."""
    kept_s = handlers.service.kept_hours * 3600  # the exports are there as long as their run
    with Page(title=TITLE, analytics_enabled=False, delete_cache=(600, kept_s)) as page:
        gr.HTML(HEADER)
        with gr.Row(elem_id="main"):
            with gr.Column(scale=2, min_width=300, elem_id="ask"):
                ask = _ask(settings)
            with gr.Column(scale=3, min_width=300, elem_id="answer"):
                answer = _answer()
        _wire(page, handlers, ask, answer)
        _api(Api(handlers.service, handlers.reader), settings)
    return page


def _ask(settings: Settings) -> dict[str, Any]:
    """The left side: document, length, the two buttons; sections and the rest folded away."""
    ask: dict[str, Any] = {"source": gr.State("files")}
    ask["page"] = gr.HTML(elem_id="source", js_on_load=SOURCE_EVENTS)
    ask |= _sources()
    ask["length"] = gr.Radio(
        [(f"{name.capitalize()} ({words})", name) for name, words in LENGTH_WORDS.items()],
        value=settings.length,
        label="Words of the whole summary",
        elem_id="length",
    )
    with gr.Row(elem_id="buttons"):
        ask["run"] = gr.Button("Summarize", variant="primary", elem_id="run", scale=2)
        ask["stop"] = gr.Button("Stop", interactive=False, elem_id="stop", scale=1)
    ask["forecast"] = gr.HTML(elem_id="forecast")
    box = gr.Accordion("Choose sections", open=False, visible=False, elem_id="sections")
    with box:
        ask["sections_box"] = box
        ask["sections"] = gr.CheckboxGroup(
            [],
            show_label=False,
            container=False,
            elem_id="section-boxes",
            info="Tick some to summarize only those.",
        )
    return ask | _advanced(settings)


def _sources() -> dict[str, Any]:
    """Where the text comes from: files, or a box to paste into."""
    ask: dict[str, Any] = {}
    with gr.Tabs():
        with gr.Tab("Files") as ask["files_tab"]:
            ask["files"] = gr.File(
                label="PDF, Office, EPUB, HTML, text, subtitles",
                file_count="multiple",
                elem_id="files",
                file_types=list(READABLE_SUFFIXES),
                height=150,
            )
            ask["facts"] = gr.HTML(elem_id="facts")
            ask["password"] = gr.Textbox(
                label="Password",
                type="password",
                visible=False,
                elem_id="password",
                info="Opens the protected PDF. It is not kept.",
            )
            ask["ocr"] = gr.Checkbox(
                label="Read scanned pages by OCR",
                visible=False,
                elem_id="ocr",
                interactive=ocr_engine.is_installed(),
                info=OCR_INFO[ocr_engine.is_installed()],
            )
            with gr.Column(elem_id="examples"):
                gr.Examples(
                    [[[str(path)]] for path in _examples()],
                    [ask["files"]],
                    label="Try an example",
                    example_labels=[path.name for path in _examples()],
                )
        with gr.Tab("Text") as ask["text_tab"]:
            ask["text"] = gr.Textbox(
                label="Text to summarize",
                lines=14,
                max_lines=14,
                elem_id="text",
                placeholder="Paste a long text here.",
            )
    return ask


def _advanced(settings: Settings) -> dict[str, Any]:
    names = [c.name for c in CATALOGUE]
    ask: dict[str, Any] = {}
    with gr.Accordion("Advanced", open=False, elem_id="advanced"):
        ask["model"] = gr.Dropdown(
            names if settings.model in names else [settings.model, *names],
            value=settings.model,
            label="Model",
            allow_custom_value=True,
            elem_id="model",
            info="“bundled” picks and tidies key sentences. Others, a folder or owner/name, may "
            "be downloaded once.",
        )
        ask["num_beams"] = gr.Slider(
            1,
            MAX_BEAMS,
            value=settings.num_beams,
            step=1,
            label="Beams",
            info="Hypotheses searched side by side. More is slower, and often a little better.",
        )
        ask["pages"] = gr.Textbox(
            label="Pages",
            placeholder="all, or 1-5,9",
            info="Only these are read, counted from the first of the file.",
        )
        ask["include_references"] = gr.Checkbox(
            label="Read the list of references too", elem_id="references"
        )
        with gr.Row():
            ask["max_new_tokens"] = gr.Number(
                label="Most tokens written",
                minimum=0,
                precision=0,
                value=0,
                info="Per section; 0: by length",
            )
            ask["max_input_tokens"] = gr.Number(
                label="Tokens read per pass",
                minimum=0,
                precision=0,
                info="0: the model's window",
                value=settings.max_input_tokens or 0,
            )
    return ask


def _answer() -> dict[str, Any]:
    """The right side: progress, the summary, what can be done with it."""
    answer: dict[str, Any] = {
        "job": gr.State(""),
        "controls": gr.State(None),
        "kept": gr.BrowserState("", storage_key="job", secret="not a secret: an id"),
        "history": gr.BrowserState([], storage_key="jobs", secret="not a secret: ids"),
    }
    answer["status"] = gr.HTML(elem_id="status")
    answer["summary"] = gr.HTML(render.EMPTY, elem_id="summary-box", js_on_load=SOURCE_EVENTS)
    with gr.Row(elem_id="take"):
        answer["copy"] = gr.Button("Copy", elem_id="copy", interactive=False, size="sm")
        for fmt, label in FORMATS:
            answer[fmt] = gr.DownloadButton(
                label, elem_id=f"download-{fmt}", interactive=False, size="sm"
            )
    with gr.Accordion(
        "Compare with an earlier summary", open=False, visible=False, elem_id="compare"
    ) as answer["compare_box"]:
        answer["earlier"] = gr.Dropdown(
            [], show_label=False, container=False, elem_id="earlier", label="Earlier summary"
        )
        answer["comparison"] = gr.HTML(elem_id="comparison", js_on_load=SOURCE_EVENTS)
    with gr.Row(elem_id="keeping"):
        answer["keeping"] = gr.HTML(elem_id="kept", visible=False)
        answer["forget"] = gr.Button("Forget", elem_id="forget", visible=False, size="sm", scale=0)
    return answer


# A browser knows its latest run; a tab that is loaded again, the one it began itself.
OWN_JOB = "(kept) => sessionStorage.getItem('job') ?? kept"
KEEP_OWN_JOB = "(kept) => { sessionStorage.setItem('job', kept ?? ''); }"
Values = dict[Any, Any]  # of components
QUIET: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
FIELDS = [field.name for field in fields(Form)]


def _wire(page: gr.Blocks, handlers: Handlers, ask: dict[str, Any], answer: dict[str, Any]) -> None:
    _wire_asking(handlers, ask)
    _wire_running(page, handlers, ask, answer)
    for shown in (answer["summary"], answer["comparison"], ask["page"]):
        shown.cite(
            handlers.show_source, answer["job"], ask["page"], concurrency_limit=4, **QUIET
        ).then(None, js="() => window.sourceShown()", **QUIET)
    ask["page"].close(_always(""), None, ask["page"], queue=False, **QUIET).then(
        None, js="() => window.sourceClosed()", **QUIET
    )
    answer["copy"].click(None, js="() => window.copySummary()", **QUIET)


def _wire_asking(handlers: Handlers, ask: dict[str, Any]) -> None:
    """What is chosen is read at once, and any change of it changes what a run would take."""

    def forecast_of(values: Values, request: gr.Request) -> str:
        return handlers.forecast(_form(ask, values), request)

    forecast: dict[str, Any] = {
        "fn": forecast_of,
        "inputs": _inputs(ask),
        "outputs": ask["forecast"],
        "concurrency_limit": 4,
        "trigger_mode": "always_last",
        **QUIET,
    }
    for tab, name in ((ask["files_tab"], "files"), (ask["text_tab"], "text")):
        tab.select(_always(name), None, ask["source"], queue=False, **QUIET).then(**forecast)
    for event in (ask["files"].change, ask["password"].submit, ask["ocr"].input):
        event(
            handlers.read,
            [ask["files"], ask["password"], ask["ocr"]],
            [ask["facts"], ask["password"], ask["sections_box"], ask["sections"], ask["ocr"]],
            concurrency_limit=4,
            trigger_mode="always_last",
            **QUIET,
        ).then(**forecast)
    changes = [ask[name].change for name in ("model", "length", "num_beams", "include_references")]
    changes += [ask[name].blur for name in ("text", "pages")] + [ask["pages"].submit]
    changes += [ask[name].input for name in ("sections", "max_new_tokens", "max_input_tokens")]
    gr.on(changes, **forecast)


def _wire_running(
    page: gr.Blocks, handlers: Handlers, ask: dict[str, Any], answer: dict[str, Any]
) -> None:
    """Whatever begins or finds a run shows it as it goes, and then what it compares with."""
    job, history = answer["job"], answer["history"]
    outputs = [answer["status"], answer["summary"], job, answer["controls"]]
    controls = [ask["run"], ask["stop"], answer["copy"], *(answer[fmt] for fmt, _ in FORMATS)]
    controls += [answer["keeping"], answer["forget"]]
    answer["controls"].change(
        control_updates,
        answer["controls"],
        controls,
        queue=False,
        trigger_mode="always_last",
        **QUIET,
    )
    offers: dict[str, Any] = {
        "fn": handlers.earlier.offer,
        "inputs": [job, history],
        "outputs": [history, answer["compare_box"], answer["earlier"], answer["comparison"]],
        "queue": False,
        **QUIET,
    }

    def run(values: Values, request: gr.Request) -> Iterator[View]:
        return handlers.run(_form(ask, values), request)

    for event, watch, inputs, js in (
        (page.load, handlers.reattach, [answer["kept"]], OWN_JOB),
        (ask["run"].click, run, _inputs(ask), None),
        (answer["summary"].include, handlers.include, [job], None),
    ):
        event(_as_updates(watch), inputs, outputs, concurrency_limit=WATCHERS, js=js, **QUIET).then(
            **offers
        )
    answer["summary"].include(lambda: True, None, ask["include_references"], queue=False, **QUIET)
    job.change(lambda job: job, job, answer["kept"], queue=False, **QUIET).then(
        None, answer["kept"], js=KEEP_OWN_JOB, **QUIET
    )
    ask["stop"].click(handlers.stop, job, None, queue=False, **QUIET)
    page.unload(handlers.leave)

    def forget(job: str, kept: str, request: gr.Request) -> list[Any]:
        view, *cleared = handlers.forget(job or kept, request)
        return [*component_updates(view), *cleared]

    answer["forget"].click(
        forget,
        [job, answer["kept"]],
        [*outputs, ask["files"], ask["facts"], ask["text"], ask["page"]],
        queue=False,
        **QUIET,
    ).then(**offers)
    answer["earlier"].input(
        handlers.earlier.compare,
        [job, answer["earlier"]],
        answer["comparison"],
        queue=False,
        **QUIET,
    )


def _inputs(ask: dict[str, Any]) -> set[Any]:
    """The fields of the form; a set, since Gradio then gives their values as one."""
    return {ask[name] for name in FIELDS}


def _form(ask: dict[str, Any], values: Values) -> Form:
    return Form(**{name: values[ask[name]] for name in FIELDS})


def _as_updates(run: Callable[..., Iterator[View]]) -> Callable[..., Iterator[list[Any]]]:
    """A handler that watches a run, its views turned into updates of the components."""

    @functools.wraps(run)
    def updates(*arguments: Any) -> Iterator[list[Any]]:
        view = None
        for view in run(*arguments):
            yield component_updates(view)
        if view is None:  # what yields nothing would empty every component
            yield [gr.skip()] * len(component_updates(View()))

    return updates


def component_updates(view: View) -> list[Any]:
    """status, summary, job, and what its buttons follow. A run is drawn many times a second, and
    Gradio makes each component anew that it is told about, so buttons change by themselves."""
    summary = view["summary"]
    controls = {name: view[name] for name in ("running", "exports", "kept")}
    controls["copy"] = None if summary is None else bool(summary)
    return [
        view["status"],
        gr.skip() if summary is None else summary,
        gr.skip() if view["job"] is None else view["job"],
        controls,
    ]


def control_updates(controls: dict[str, Any]) -> list[Any]:
    """run, stop, copy, a download button per format, what is kept, forget."""
    running, copy, exports, kept = (controls[k] for k in ("running", "copy", "exports", "kept"))
    downloads = [
        gr.skip()
        if exports is None
        else gr.update(value=exports.get(fmt), interactive=fmt in exports)
        for fmt, _ in FORMATS
    ]
    keeping: list[Any] = [gr.skip(), gr.skip()]
    if kept is not None:
        small = f"<small>{escape(kept)}</small>"
        keeping = [gr.update(value=small, visible=bool(kept)), gr.update(visible=bool(kept))]
    return [
        gr.update(interactive=not running),
        gr.update(interactive=running),
        gr.skip() if copy is None else gr.update(interactive=copy),
        *downloads,
        *keeping,
    ]


def _api(api: Api, settings: Settings) -> None:
    """The endpoints; hidden components give them their names, types and defaults."""
    with gr.Group(visible=False):
        file = gr.File(label="file")
        text = gr.Textbox("", label="text")
        model = gr.Textbox(settings.model, label="model")
        length = gr.Textbox(settings.length, label="length")
        num_beams = gr.Number(settings.num_beams, label="num_beams", precision=0)
        pages = gr.Textbox("", label="pages")
        password = gr.Textbox("", label="password")
        sections = gr.Textbox("", label="sections")
        include_references = gr.Checkbox(False, label="include_references")
        ocr = gr.Checkbox(False, label="ocr")
        result = gr.JSON(label="result")
        gr.Button().click(
            api.summarize,
            [
                file,
                text,
                model,
                length,
                num_beams,
                pages,
                password,
                sections,
                include_references,
                ocr,
            ],
            result,
            api_name="summarize",
            concurrency_limit=WATCHERS,
        )
        gr.Button().click(
            api.extract,
            [file, text, password, ocr],
            result,
            api_name="extract",
            concurrency_limit=4,
        )


def _examples() -> list[Any]:
    folder = assets_dir() / "examples"
    return sorted(p for p in folder.glob("*") if p.suffix in (".pdf", ".md") and p.stem != "README")


def _always(value: str) -> Callable[[], str]:
    return lambda: value
