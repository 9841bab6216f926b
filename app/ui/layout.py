"""The components of the page. `wiring.py` connects their events to the handlers."""

from __future__ import annotations

from pathlib import Path

import gradio as gr

from ..documents.limits import MAX_DOCUMENT_PAGES, MAX_FILE_BYTES
from ..documents.readers.pdf import ocr as ocr_engine
from ..settings import (
    LENGTH_WORDS,
    MAX_BEAMS,
    MAX_FILES,
    READABLE_KINDS,
    SUMMARY_WORDS_RANGE,
    Settings,
    assets_dir,
)
from ..summary.options import DECODING_OPTIONS
from ..wording import capital
from . import render
from .api import Api
from .handlers import Handlers
from .model_panel import PANEL_BUTTONS, REFRESH_PANEL_S, ModelPanel, model_choices
from .safe_blocks import SafeBlocks
from .wiring import Components, connect_api, connect_events, connect_models

PAGE_TITLE = "Long document summarizer"
CLEANUP_INTERVAL_S = 600  # Gradio deletes old uploads this often
# In the page: a citation, a cell of the page strip or a page button requests a page of the source.
SOURCE_EVENTS = """
element.addEventListener('click', (event) => {
  const button = event.target.closest('[data-page]');
  if (button) {
    const {document, page, passages, marks} = button.dataset;
    trigger('cite', {
      document: +document, page: +page, passages: JSON.parse(passages),
      marks: JSON.parse(marks || '[]'), width: window.pageWidth?.() ?? 0,
    });
  } else if (event.target.closest('.include')) {
    trigger('include');
  } else if (event.target.closest('.close')) {
    trigger('close');
  }
});
// A section that is opened before it is written: one at a time, the others wait in a queue.
element.addEventListener('toggle', ({target}) => {
  if (!target.open || !target.matches('details[data-unwritten]')) return;
  window.writeSection?.(target, () => {
    const {document, section} = target.dataset;
    trigger('section', {document: +document, section: +section});
  });
}, true);
"""
# In the list of documents: open a run, summarize a document again, forget runs.
DOCUMENT_EVENTS = """
element.addEventListener('click', (event) => {
  const {open, again, length, forget} = event.target.closest('button')?.dataset ?? {};
  if (open) trigger('open', {job: open});
  if (again) trigger('again', {job: again, length});
  if (forget) trigger('forget', {jobs: forget.split(',')});
});
"""
FILE_LIMITS = (
    f'<p class="hint">{READABLE_KINDS}. Up to {MAX_FILES} files, {MAX_FILE_BYTES // 1024**2} MB '
    f"and {MAX_DOCUMENT_PAGES:,} pages each.</p>"
)
KEYS = (
    ("Ctrl + Enter", "summarize"),
    ("Escape", "close the page or a dialog, else stop the run"),
    ("← →", "turn the pages of the document, or walk along the strip"),
    ("N, P", "next and previous citation, while a page is open"),
    ("/", "find in the document"),
    ("?", "show these keys"),
)
PANEL_LABELS = ("Download", "Cancel the download", "Remove from this computer")
DOWNLOAD_BUTTONS = (
    ("md", "Markdown"), ("txt", "Text"), ("json", "JSON"), ("html", "HTML"), ("docx", "Word")
)  # fmt: skip
DOWNLOAD_CHOICES = [
    ("Markdown for Obsidian", "obsidian"),
    ("Front matter in Markdown", "front matter"),
    ("Summary as first page of the PDF", "summary page"),
]


def build_page(handlers: Handlers, settings: Settings) -> gr.Blocks:
    """Return the page with its events and its API."""
    kept_s = handlers.service.kept_hours * 3600  # downloads live as long as their run
    cache = (CLEANUP_INTERVAL_S, kept_s)
    with SafeBlocks(title=PAGE_TITLE, analytics_enabled=False, delete_cache=cache) as page:
        gr.HTML(_header(settings))
        with gr.Row(elem_id="main"):
            with gr.Column(scale=2, min_width=300, elem_id="ask"):
                inputs = _input_column(settings)
            with gr.Column(scale=3, min_width=300, elem_id="answer"):
                outputs = _output_column()
        connect_events(page, handlers, inputs, outputs)
        connect_models(page, ModelPanel(handlers.service), inputs)
        connect_api(Api(handlers.service, handlers.reader, handlers.streams), settings)
    return page


def _header(settings: Settings) -> str:
    where = (
        "Your document stays on this computer."
        if not settings.is_shared
        else "Your document is sent to the server that runs this page, and nowhere else."
    )
    keys = "".join(f"<dt>{key}</dt><dd>{what}</dd>" for key, what in KEYS)
    return (
        f'<header id="header"><h1>{PAGE_TITLE}</h1><p>{where} '
        "The summary is written by a machine, so check what matters.</p>"
        f'<details id="keys"><summary aria-label="Keyboard shortcuts">?</summary><dl>{keys}</dl>'
        "</details></header>"
    )


def _input_column(settings: Settings) -> Components:
    """Build the left column: documents, length, buttons, and the folded options."""
    inputs: Components = {"source": gr.State("files")}
    inputs["source_page"] = gr.HTML(elem_id="source", js_on_load=SOURCE_EVENTS)
    inputs |= _document_tabs()
    inputs["length"] = gr.Radio(
        [(f"{name.capitalize()} ({words})", name) for name, words in LENGTH_WORDS.items()],
        value=settings.length,
        label="Length of the summary in words",
        elem_id="length",
    )
    least, most = SUMMARY_WORDS_RANGE
    with gr.Row(elem_id="answer-options"):
        # An empty number field of Gradio is 0, an empty text is empty.
        inputs["words"] = gr.Textbox(
            label="Or your own number of words",
            max_lines=1,
            elem_id="words",
            placeholder=f"{least} to {most:,}",
        )
        inputs["by_section"] = gr.Checkbox(
            False,
            label="Also summarize each section",
            elem_id="by-section",
            info="One to three sentences for each, below the summary.",
        )
    with gr.Row(elem_id="buttons"):
        inputs["run"] = gr.Button("Summarize", variant="primary", elem_id="run", scale=2)
        inputs["stop"] = gr.Button("Stop", interactive=False, elem_id="stop", scale=1)
    inputs["estimate"] = gr.HTML(elem_id="forecast")
    accordion = gr.Accordion("Choose sections", open=False, visible=False, elem_id="sections")
    with accordion:
        inputs["sections_accordion"] = accordion
        inputs["sections"] = gr.CheckboxGroup(
            [],
            show_label=False,
            container=False,
            elem_id="section-boxes",
            info="Only the sections you select are summarized. Select none for all of them.",
        )
    return inputs | _advanced_options(settings)


def _document_tabs() -> Components:
    """Build the tabs for files and for pasted text."""
    inputs: Components = {}
    with gr.Tabs(elem_id="tabs") as inputs["tabs"]:
        with gr.Tab("Files", id="files") as inputs["files_tab"]:
            inputs["files"] = gr.File(
                label="Documents",
                file_count="multiple",
                elem_id="files",
                height=150,
            )
            gr.HTML(FILE_LIMITS, elem_id="limits")
            inputs["facts"] = gr.HTML(elem_id="facts")
            inputs["password"] = gr.Textbox(
                label="Password",
                type="password",
                visible=False,
                elem_id="password",
                info="Type the password of the PDF and press Enter. It is never saved to disk.",
            )
            inputs["ocr"] = gr.Checkbox(
                label="Read scanned pages with OCR",
                visible=False,
                elem_id="ocr",
                interactive=ocr_engine.is_installed(),
                info=_ocr_info(),
            )
            with gr.Column(elem_id="examples"):
                gr.Examples(
                    [[[str(path)]] for path in _examples()],
                    [inputs["files"]],
                    label="Try an example",
                    example_labels=[path.name for path in _examples()],
                )
        with gr.Tab("Text", id="text") as inputs["text_tab"]:
            inputs["text"] = gr.Textbox(
                label="Text to summarize",
                lines=14,
                max_lines=14,
                elem_id="text",
                placeholder="Paste a long text here.",
            )
    return inputs


def _ocr_info() -> str:
    if ocr_engine.is_installed():
        return "Slow: a few seconds per page."
    return f"Not installed: {ocr_engine.how_to_install()}."


def _advanced_options(settings: Settings) -> Components:
    inputs: Components = {}
    is_own = not settings.is_shared
    others = " You can also type owner/name of a Hugging Face model, which is downloaded once."
    with gr.Accordion("Advanced", open=False, elem_id="advanced"):
        inputs["model"] = gr.Dropdown(
            model_choices(settings),
            value=settings.model,
            label="Model",
            allow_custom_value=True,
            elem_id="model",
            info="The bundled model quotes key sentences and needs no download."
            + (others if is_own else ""),
        )
        inputs |= _model_panel()
        inputs["num_beams"] = gr.Slider(
            1,
            MAX_BEAMS,
            value=settings.num_beams,
            step=1,
            label="Beams",
            info="Alternative texts that are compared. More are slower and often a little better.",
        )
        inputs["pages"] = gr.Textbox(
            label="Pages",
            placeholder="All, or for example 1-5,9",
            info="Only these pages are read. The first page of the file is 1.",
        )
        inputs["include_references"] = gr.Checkbox(
            label="Include the list of references", elem_id="references"
        )
        with gr.Row():
            inputs["max_new_tokens"] = gr.Number(
                label="Max. tokens written",
                minimum=0,
                precision=0,
                value=0,
                info="Per section. 0: as the length requires",
            )
            inputs["max_input_tokens"] = gr.Number(
                label="Max. tokens read",
                minimum=0,
                precision=0,
                info="Per pass. 0: the model's maximum",
                value=settings.max_input_tokens or 0,
            )
        inputs.update(_decoding_options())
    return inputs


def _model_panel() -> Components:
    """Build what stands below the menu of models: its place on the disk, and what to do there."""
    inputs: Components = {"model_place": gr.State("")}
    inputs["model_panel"] = gr.HTML(elem_id="model-panel")
    with gr.Row(elem_id="model-buttons"):
        for name, label in zip(PANEL_BUTTONS, PANEL_LABELS, strict=True):
            elem_id = name.replace("_", "-")
            inputs[name] = gr.Button(label, elem_id=elem_id, visible=False, size="sm")
    inputs["model_timer"] = gr.Timer(REFRESH_PANEL_S, active=False)
    return inputs


def _decoding_options() -> Components:
    """Return a number field per decoding option; an empty one means the model's own setting."""
    inputs: Components = {}
    with gr.Accordion("Decoding", open=False, elem_id="decoding"):
        gr.Markdown(
            "For models that write in their own words. Empty: as the model's author has set it."
        )
        for option in DECODING_OPTIONS:
            inputs[option.name] = gr.Textbox(
                label=option.label,
                info=f"{capital(option.about)}. From {option.range[0]:g} to {option.range[1]:g}",
                placeholder="The model's own",
                max_lines=1,
            )
    return inputs


def _output_column() -> Components:
    """Build the right column: progress, summary, downloads, comparison, storage."""
    # The browser stores the ids of its latest runs, to find them again after a reload. Whoever
    # knows an id can read the run, and the secret that Gradio asks for would not change that.
    outputs: Components = {
        "job": gr.State(""),
        "controls": gr.State(None),
        "stored_job": gr.BrowserState("", storage_key="job", secret="not a secret: an id"),
        "history": gr.BrowserState([], storage_key="jobs", secret="not a secret: ids"),
    }
    outputs["status"] = gr.HTML(elem_id="status")
    # Above the summary: below it, a reader would have to pass all sections of the document.
    with gr.Row(elem_id="take"):
        outputs |= _reading_tools()
    outputs["found"] = gr.HTML(elem_id="found", js_on_load=SOURCE_EVENTS)
    outputs["summary"] = gr.HTML(
        render.EMPTY_SUMMARY, elem_id="summary-box", js_on_load=SOURCE_EVENTS
    )
    # The script moves what is written here into the opened section.
    outputs["section"] = gr.HTML(elem_id="section-written")
    with gr.Row(elem_id="downloads"):
        for fmt, label in DOWNLOAD_BUTTONS:
            outputs[fmt] = gr.DownloadButton(
                label, elem_id=f"download-{fmt}", interactive=False, size="sm"
            )
        outputs["highlight"] = gr.Button("Highlighted PDF", elem_id="highlight", size="sm")
        # Made when it is asked for, and then clicked by the script.
        outputs["pdf"] = gr.DownloadButton("", elem_id="download-pdf", size="sm")
    outputs["choices"] = gr.CheckboxGroup(
        DOWNLOAD_CHOICES, label="In the downloads", show_label=False, elem_id="choices"
    )
    with gr.Accordion(
        "Compare with an earlier summary", open=False, visible=False, elem_id="compare"
    ) as outputs["compare_accordion"]:
        outputs["earlier"] = gr.Dropdown(
            [], show_label=False, container=False, elem_id="earlier", label="Earlier summary"
        )
        outputs["comparison"] = gr.HTML(elem_id="comparison", js_on_load=SOURCE_EVENTS)
    with gr.Row(elem_id="keeping"):
        outputs["storage_note"] = gr.HTML(elem_id="kept", visible=False)
        outputs["forget"] = gr.Button("Forget", elem_id="forget", visible=False, size="sm", scale=0)
    # Last: it appears when a run ends, and on a phone nothing that is read may move.
    documents = gr.Accordion("Your documents", open=True, visible=False, elem_id="documents")
    with documents:
        outputs["documents_accordion"] = documents
        outputs["documents"] = gr.HTML(js_on_load=DOCUMENT_EVENTS)
    return outputs


def _reading_tools() -> Components:
    outputs: Components = {}
    outputs["find"] = gr.Textbox(
        label="Find in the document",
        show_label=False,
        container=False,
        placeholder="Find in the document",
        max_lines=1,
        elem_id="find",
    )
    outputs["copy"] = gr.Button("Copy", elem_id="copy", interactive=False, size="sm")
    outputs["copy_markdown"] = gr.Button("Copy as Markdown", elem_id="copy-md", size="sm")
    outputs["bullets"] = gr.Checkbox(
        False, label="As a list", elem_id="bullets", container=False, min_width=90
    )
    outputs["markdown"] = gr.Textbox(elem_id="markdown-text", show_label=False)  # to be copied
    return outputs


def _examples() -> list[Path]:
    folder = assets_dir() / "examples"
    return sorted(p for p in folder.glob("*") if p.suffix in (".pdf", ".md") and p.stem != "README")
