"""Connect the events of the page's components, and the API's endpoints, to their handlers."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from html import escape
from typing import Any

import gradio as gr

from ..errors import AppError
from ..export.formats import EXPORT_FORMATS
from ..settings import Settings
from ..summary.options import DECODING_OPTIONS
from . import render
from .api import Api
from .estimate import LatestBySession, is_waiting_for_model
from .form import FORM_FIELDS, Form, form_from_fields
from .handlers import Handlers
from .model_panel import PANEL_BUTTONS, ModelPanel
from .stored_documents import FILLED_FIELDS
from .view import View

# Handlers of a run and of a reading only wait for events, so many may wait at once; the job runner
# and the reading slots limit what computes. Each open page with a run takes one.
MAX_WATCHERS = 80
MAX_DRAWERS = 4  # pages drawn at once, which takes CPU time
# The default model may still be loading when the first file is dropped. Chosen by hand: a longer
# wait would keep an empty line on the page, a shorter one would give up on slow machines.
MAX_MODEL_WAIT_S, MODEL_POLL_S = 20.0, 0.1
# A reloaded tab shows its own run; a new tab shows the latest run of the browser, or the files
# that the page was started with.
JOB_OF_TAB_JS = """(stored) => sessionStorage.getItem('job')
  ?? (new URLSearchParams(location.search).has('open') ? '' : stored)"""
STORE_JOB_OF_TAB_JS = "(stored) => { sessionStorage.setItem('job', stored ?? ''); }"
CONFIRM_REMOVAL_JS = """(name) => confirm(
  `Remove ${name} from this computer? Other programs may use it too. It can be downloaded again.`
) ? name : ''"""
NO_PROGRESS: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
Components = dict[str, Any]  # by name
FieldValues = dict[Any, Any]  # by component


def connect_events(
    page: gr.Blocks, handlers: Handlers, inputs: Components, outputs: Components
) -> None:
    """Connect all events of the page."""
    _connect_inputs(handlers, inputs)
    _connect_runs(page, handlers, inputs, outputs)
    _connect_results(handlers, inputs, outputs)
    _connect_downloads(handlers, outputs)
    _connect_documents(page, handlers, inputs, outputs)


def _connect_inputs(handlers: Handlers, inputs: Components) -> None:
    """Read files as soon as they are chosen; estimate the run again after each change."""

    latest = LatestBySession()

    async def estimate_form(values: FieldValues, request: gr.Request) -> Any:
        session = str(request.session_hash)
        turn = latest.begin(session)
        try:
            form = _form_of(inputs, values, handlers)
        except AppError as error:
            return render.error(str(error))
        waits = int(MAX_MODEL_WAIT_S / MODEL_POLL_S)
        while waits and is_waiting_for_model(handlers.service, form.model):
            waits -= 1
            await asyncio.sleep(MODEL_POLL_S)  # in no thread: many pages may wait
        line = await asyncio.to_thread(handlers.estimate, form)
        # The form may have changed meanwhile, and its newer estimate be shown already.
        return line if latest.is_latest(session, turn) else gr.skip()

    estimate: dict[str, Any] = {
        "fn": estimate_form,
        "inputs": _field_components(inputs),
        "outputs": inputs["estimate"],
        "concurrency_limit": MAX_WATCHERS,
        "trigger_mode": "always_last",
        **NO_PROGRESS,
    }
    is_new: dict[str, Any] = {"fn": None, "js": "() => window.forecastIsNew()", **NO_PROGRESS}
    chosen = [inputs[name] for name in ("files", "password", "ocr")]

    def open_tab(name: str) -> Callable[..., tuple[str, Any]]:
        def opened(
            files: list[str] | None, password: str, ocr: bool, request: gr.Request
        ) -> tuple[str, Any]:
            return name, handlers.run_button(name, files, password, ocr, request)

        return opened

    for tab, name in ((inputs["files_tab"], "files"), (inputs["text_tab"], "text")):
        tab.select(
            open_tab(name), chosen, [inputs["source"], inputs["run"]], queue=False, **NO_PROGRESS
        ).then(**estimate).then(**is_new)
    reading_outputs = ("facts", "password", "sections_accordion", "sections", "ocr", "run")
    for event in (inputs["files"].change, inputs["password"].submit, inputs["ocr"].input):
        event(
            handlers.read,
            [*chosen, inputs["source"]],
            [inputs[name] for name in reading_outputs],
            concurrency_limit=MAX_WATCHERS,
            trigger_mode="always_last",
            **NO_PROGRESS,
        ).then(**estimate).then(**is_new)
    fields = ("model", "length", "num_beams", "include_references", "by_section")
    changes = [inputs[name].change for name in fields]
    changes += [inputs[name].blur for name in ("text", "pages")] + [inputs["pages"].submit]
    changes += [inputs[name].input for name in ("sections", "max_new_tokens", "max_input_tokens")]
    changes += [inputs["words"].blur, inputs["words"].submit, inputs["model_place"].change]
    gr.on(changes, **estimate).then(**is_new)


def _connect_runs(
    page: gr.Blocks, handlers: Handlers, inputs: Components, outputs: Components
) -> None:
    """Show a run that starts or is found again, then offer earlier summaries to compare with."""
    job, stored_job = outputs["job"], outputs["stored_job"]
    view_outputs = _view_components(outputs)
    outputs["controls"].change(
        control_updates,
        outputs["controls"],
        _control_components(inputs, outputs),
        queue=False,
        trigger_mode="always_last",
        **NO_PROGRESS,
    )

    def run_form(values: FieldValues, request: gr.Request) -> Iterator[View]:
        try:
            form = _form_of(inputs, values, handlers)
        except AppError as error:
            yield View().with_(status=render.error(str(error)))
            return
        yield from handlers.run(form, request)

    include = outputs["summary"].include
    for event, handler, values, js in (
        (page.load, handlers.reattach, [stored_job], JOB_OF_TAB_JS),
        (inputs["run"].click, run_form, _field_components(inputs), None),
        (include, handlers.run_with_references, [job], None),
    ):
        event(
            _as_updates(handler),
            values,
            view_outputs,
            concurrency_limit=MAX_WATCHERS,
            js=js,
            **NO_PROGRESS,
        ).then(**_comparison_choices(handlers, outputs))
    include(lambda: True, None, inputs["include_references"], queue=False, **NO_PROGRESS)
    job.change(lambda job: job, job, stored_job, queue=False, **NO_PROGRESS).then(
        None, stored_job, js=STORE_JOB_OF_TAB_JS, **NO_PROGRESS
    )
    inputs["stop"].click(handlers.stop, job, None, queue=False, **NO_PROGRESS)
    page.unload(handlers.close_page)


def _connect_results(handlers: Handlers, inputs: Components, outputs: Components) -> None:
    """Connect citations, found words, the delete button, and the comparison."""
    job, source = outputs["job"], inputs["source_page"]
    drawers = ThreadPoolExecutor(MAX_DRAWERS, "drawing")

    async def show_source(job_id: str, event: gr.EventData) -> str:
        """Show a page, in a thread that the server does not need for anything else."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(drawers, handlers.show_source, job_id, event)

    find, found = outputs["find"], outputs["found"]
    find.submit(handlers.find, [job, find], found, concurrency_limit=MAX_DRAWERS, **NO_PROGRESS)
    job.change(lambda: ("", ""), None, [find, found], queue=False, **NO_PROGRESS)
    for shown in (outputs["summary"], outputs["comparison"], found, source):
        shown.cite(show_source, job, source, concurrency_limit=MAX_WATCHERS, **NO_PROGRESS).then(
            None, js="() => window.sourceShown()", **NO_PROGRESS
        )
    source.close(_constant(""), None, source, queue=False, **NO_PROGRESS).then(
        None, js="() => window.sourceClosed()", **NO_PROGRESS
    )

    def forget(job_id: str, stored_id: str, request: gr.Request) -> list[Any]:
        view, *cleared = handlers.forget(job_id or stored_id, request)
        return [*component_updates(view), *cleared]

    outputs["forget"].click(
        forget,
        [job, outputs["stored_job"]],
        [*_view_components(outputs), inputs["files"], inputs["facts"], inputs["text"], source],
        queue=False,
        **NO_PROGRESS,
    ).then(**_comparison_choices(handlers, outputs))
    outputs["earlier"].input(
        handlers.history.comparison_html,
        [job, outputs["earlier"]],
        outputs["comparison"],
        queue=False,
        **NO_PROGRESS,
    )


def _connect_downloads(handlers: Handlers, outputs: Components) -> None:
    """Connect the copy buttons, the form of the downloads, and sections written on request."""
    job, section = outputs["job"], outputs["section"]
    outputs["copy"].click(None, js="() => window.copySummary()", **NO_PROGRESS)
    bullets = outputs["bullets"]
    bullets.input(None, bullets, js="(on) => window.showAsList(on)", **NO_PROGRESS)
    files = [outputs[fmt] for fmt in EXPORT_FORMATS]
    choices = outputs["choices"]
    form = [job, bullets, choices]
    for control in (bullets, choices):
        control.input(handlers.downloads_as, form, files, queue=False, **NO_PROGRESS)

    def after_run(job_id: str, as_list: bool, chosen: list[str]) -> list[Any]:
        if as_list or chosen:  # a run writes its downloads without these
            return handlers.downloads_as(job_id, as_list, chosen)
        return [gr.skip()] * len(files)

    outputs["history"].change(after_run, form, files, queue=False, **NO_PROGRESS)
    outputs["copy_markdown"].click(
        handlers.markdown, form, outputs["markdown"], queue=False, **NO_PROGRESS
    ).then(None, outputs["markdown"], js="(text) => window.copyMarkdown(text)", **NO_PROGRESS)
    outputs["highlight"].click(
        handlers.highlighted,
        [job, choices],
        outputs["pdf"],
        concurrency_limit=MAX_DRAWERS,
        show_progress="minimal",
        api_visibility="private",
    ).success(None, js="() => window.downloadHighlighted()", **NO_PROGRESS)
    outputs["summary"].section(
        handlers.write_section, job, section, concurrency_limit=MAX_WATCHERS, **NO_PROGRESS
    ).then(handlers.downloads_as, form, files, queue=False, **NO_PROGRESS).then(
        None, js="() => window.sectionWritten()", **NO_PROGRESS
    )


def _connect_documents(
    page: gr.Blocks, handlers: Handlers, inputs: Components, outputs: Components
) -> None:
    """Connect the list of this browser's documents, and fill the form from a run shown again."""
    job, history = outputs["job"], outputs["history"]
    listed, views = outputs["documents"], _view_components(outputs)
    shown = [outputs["documents_accordion"], listed]
    filled = [inputs[name] for name in FILLED_FIELDS]
    arguments: dict[str, Any] = {"queue": False, **NO_PROGRESS}
    page.load(handlers.documents, history, shown, **arguments)
    history.change(handlers.documents, history, shown, **arguments)
    page.load(handlers.fill_form, outputs["stored_job"], filled, js=JOB_OF_TAB_JS, **arguments)
    for event, handler in ((listed.open, handlers.open_run), (listed.again, handlers.run_again)):
        event(
            _as_updates(handler), None, views, concurrency_limit=MAX_WATCHERS, **NO_PROGRESS
        ).then(**_comparison_choices(handlers, outputs))
        event(handlers.fill_form_for, None, filled, **arguments)

    def forget(
        job_id: str, known: list[str], event: gr.EventData, request: gr.Request
    ) -> list[Any]:
        view, rest = handlers.forget_runs(job_id, known, event, request)
        updates = [gr.skip()] * len(views) if view is None else component_updates(view)
        gone = gr.skip() if view is None else None
        return [*updates, gone, rest, *handlers.documents(rest)]

    listed.forget(forget, [job, history], [*views, inputs["files"], history, *shown], **arguments)


def connect_models(page: gr.Blocks, panel: ModelPanel, inputs: Components) -> None:
    """Connect the panel of the chosen model: shown at each choice, and again while it downloads."""
    model, place, timer = inputs["model"], inputs["model_place"], inputs["model_timer"]
    shown = [inputs["model_panel"], *(inputs[name] for name in PANEL_BUTTONS), timer, model, place]
    arguments: dict[str, Any] = {"outputs": shown, "queue": False, **NO_PROGRESS}
    for event in (page.load, model.change, timer.tick):
        event(panel.show, [model, place], **arguments)
    for name, handler in zip(PANEL_BUTTONS, (panel.fetch, panel.cancel, panel.remove), strict=True):
        js = CONFIRM_REMOVAL_JS if handler == panel.remove else None
        inputs[name].click(handler, model, js=js, **arguments)


def _comparison_choices(handlers: Handlers, outputs: Components) -> dict[str, Any]:
    """Return the arguments of the event that lists earlier summaries."""
    names = ("history", "compare_accordion", "earlier", "comparison")
    return {
        "fn": handlers.history.comparison_updates,
        "inputs": [outputs["job"], outputs["history"]],
        "outputs": [outputs[name] for name in names],
        "queue": False,
        **NO_PROGRESS,
    }


def _field_components(inputs: Components) -> set[Any]:
    """Return the components of the form as a set, for which Gradio passes one dict of values."""
    return {inputs[name] for name in FORM_FIELDS}


def _form_of(inputs: Components, values: FieldValues, handlers: Handlers) -> Form:
    named = {name: values[inputs[name]] for name in FORM_FIELDS}
    return form_from_fields(named, handlers.service.settings)


def _view_components(outputs: Components) -> list[Any]:
    """Return the components that `component_updates` changes, in its order."""
    return [outputs[name] for name in ("status", "summary", "job", "controls")]


def _control_components(inputs: Components, outputs: Components) -> list[Any]:
    """Return the components that `control_updates` changes, in its order."""
    names = ("copy", *EXPORT_FORMATS, "storage_note", "forget")
    return [inputs["run"], inputs["stop"], *(outputs[name] for name in names)]


def _as_updates(handler: Callable[..., Iterator[View]]) -> Callable[..., Iterator[list[Any]]]:
    """Wrap a handler that yields views into one that yields updates of components."""

    @functools.wraps(handler)
    def updates(*arguments: Any) -> Iterator[list[Any]]:
        view = None
        for view in handler(*arguments):
            yield component_updates(view)
        if view is None:  # Gradio would empty all components of a generator that yields nothing
            yield [gr.skip()] * len(component_updates(View()))

    return updates


def component_updates(view: View) -> list[Any]:
    """Return updates of status, summary, job and `controls`.

    A run updates the page many times a second, and Gradio re-creates each component that it
    updates. So the buttons depend on `controls`, which changes only at the start and the end.
    """
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
    """Return updates of the run, stop, copy, download and delete buttons and the storage note."""
    running, copy, exports, kept = (controls[k] for k in ("running", "copy", "exports", "kept"))
    downloads = [
        gr.skip()
        if exports is None
        else gr.update(value=exports.get(fmt), interactive=fmt in exports)
        for fmt in EXPORT_FORMATS
    ]
    storage: list[Any] = [gr.skip(), gr.skip()]
    if kept is not None:
        note = f"<small>{escape(kept)}</small>"
        storage = [gr.update(value=note, visible=bool(kept)), gr.update(visible=bool(kept))]
    return [
        gr.update(interactive=not running),
        gr.update(interactive=running),
        gr.skip() if copy is None else gr.update(interactive=copy),
        *downloads,
        *storage,
    ]


def connect_api(api: Api, settings: Settings) -> None:
    """Add the endpoints; hidden components give their parameters names, types and defaults."""
    with gr.Group(visible=False):
        parameters = {
            "file": gr.File(label="file"),
            "text": gr.Textbox("", label="text"),
            "model": gr.Textbox(settings.model, label="model"),
            "length": gr.Textbox(settings.length, label="length"),
            "num_beams": gr.Number(settings.num_beams, label="num_beams", precision=0),
            "pages": gr.Textbox("", label="pages"),
            "password": gr.Textbox("", label="password"),
            "sections": gr.Textbox("", label="sections"),
            "include_references": gr.Checkbox(False, label="include_references"),
            "ocr": gr.Checkbox(False, label="ocr"),
            "words": gr.Number(None, label="words", precision=0),
            "by_section": gr.Checkbox(False, label="by_section"),
            **{
                option.name: gr.Number(
                    None, label=option.name, precision=0 if option.is_whole else None
                )
                for option in DECODING_OPTIONS
            },
        }
        result = gr.JSON(label="result")
        gr.Button().click(
            api.summarize,
            list(parameters.values()),
            result,
            api_name="summarize",
            concurrency_limit=MAX_WATCHERS,
        )
        gr.Button().click(
            api.extract,
            [parameters[name] for name in ("file", "text", "password", "ocr")],
            result,
            api_name="extract",
            concurrency_limit=MAX_WATCHERS,
        )


def _constant(value: str) -> Callable[[], str]:
    return lambda: value
