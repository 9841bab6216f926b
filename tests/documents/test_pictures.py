"""Pictures of text are read by OCR: every form of picture, several in one file, and refusals."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings
from PIL import Image, ImageDraw, ImageFont
from reportlab.lib.utils import ImageReader
from reportlab.pdfgen.canvas import Canvas

from app import errors
from app.documents import limits
from app.documents.load import load_document, require_text
from app.documents.model import Document, Mark
from app.documents.readers.pdf import ocr as ocr_engine
from app.documents.readers.pdf.page_image import page_image
from app.documents.readers.picture import picture_at
from app.runs.batch import files_in
from tests.documents.helpers import refusal, words
from tests.documents.make_pdfs import SIZE, canvas_pdf

pytestmark = pytest.mark.usefixtures("no_child")
LINES = ("The river rose in the night.", "The mill lost forty sacks.")
Load = Callable[..., Document]


def scan(*lines: str, size: tuple[int, int] = (700, 260)) -> Image.Image:
    """Return a white picture with lines of black text."""
    picture = Image.new("RGB", size, "white")
    pen = ImageDraw.Draw(picture)
    for number, line in enumerate(lines):
        pen.text((40, 40 + 80 * number), line, "black", ImageFont.load_default(36))
    return picture


def stored(fmt: str, first: Image.Image, *others: Image.Image, **options: object) -> bytes:
    """Return a file of one or several pictures."""
    out = io.BytesIO()
    more = {"save_all": True, "append_images": others} if others else {}
    first.save(out, fmt, **more, **options)
    return out.getvalue()


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Image.Image]]:
    """Stand in for OCR: what it is shown is listed, and its text names the size."""
    shown: list[Image.Image] = []

    def read(picture: Image.Image) -> list[ocr_engine.TextBox]:
        shown.append(picture)
        if len(picture.getcolors(1 << 24) or ()) == 1:
            return []
        text = f"The mill stands beside the river, {picture.width} by {picture.height}."
        return [(40.0, 40.0, 240.0, 80.0, text)]

    monkeypatch.setattr(ocr_engine, "is_installed", lambda: True)
    monkeypatch.setattr(ocr_engine, "load_engine", lambda: read)
    yield shown


@pytest.mark.parametrize("fmt, name", [("PNG", "a.png"), ("JPEG", "a.jpeg"), ("TIFF", "a.tif")])
def test_a_picture_is_a_document_of_one_page(load: Load, engine, fmt: str, name: str) -> None:
    document = load(stored(fmt, scan(*LINES)), name)
    assert (document.unit, document.ocr) == ("page", True)
    assert words(document) == "The mill stands beside the river, 700 by 260."
    assert [str(warning) for warning in document.warnings] == [
        "Page 1 was read by OCR, so letters and numbers may be wrong there."
    ]


def test_each_picture_of_a_file_is_a_page(load: Load, engine) -> None:
    blank = Image.new("RGB", (300, 200), "white")
    data = stored("TIFF", scan(*LINES), blank, scan(*LINES, size=(500, 260)))
    document = load(data, "letter.tiff")
    assert [page.status for page in document.pages] == ["ok", "empty", "ok"]
    assert "500 by 260" in document.pages[2].text and len(engine) == 3


def test_a_picture_of_another_name_is_known_by_its_content(load: Load, engine) -> None:
    document = load(stored("JPEG", scan(*LINES)), "scan.pdf")
    assert "a picture, not a PDF" in str(document.warnings[0])


def test_a_telephone_held_sideways_is_turned(load: Load, engine) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # the orientation: turn by 90 degrees
    document = load(stored("JPEG", scan(*LINES), exif=exif), "photo.jpg")
    assert "260 by 700" in words(document)


def test_a_picture_that_ocr_fails_on_is_named(load: Load, engine, monkeypatch) -> None:
    def fail(picture: Image.Image) -> list[ocr_engine.TextBox]:
        raise RuntimeError("the engine failed")

    monkeypatch.setattr(ocr_engine, "load_engine", lambda: fail)
    document = load(stored("PNG", scan(*LINES)), "a.png")
    assert [page.status for page in document.pages] == ["failed"]
    with pytest.raises(errors.NotReadable, match="No page"):
        require_text(document)


def test_without_ocr_a_picture_is_refused_with_what_to_install(load: Load, monkeypatch) -> None:
    monkeypatch.setattr(ocr_engine, "is_installed", lambda: False)
    sentence = refusal(load, errors.BadOption, stored("PNG", scan(*LINES)), "letter.png")
    assert "only OCR can read" in sentence and 'pip install ".[ocr]"' in sentence


def test_damaged_and_huge_pictures_are_refused(load: Load, engine, monkeypatch) -> None:
    data = stored("PNG", scan(*LINES))
    refusal(load, errors.NotReadable, data[:20], "cut.png")
    document = load(data[: len(data) // 2], "cut.png")
    assert [page.status for page in document.pages] == ["failed"]
    monkeypatch.setattr(limits, "PICTURE_PIXELS", 1_000)
    refusal(load, errors.TooLong, data, "huge.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)  # Pillow's own limit is lower here
    refusal(load, errors.TooLong, data, "huge.png")


@settings(max_examples=40)
@given(
    st.sampled_from(("1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16")),
    st.tuples(st.integers(1, 60), st.integers(1, 60)),
    st.integers(1, 1_000),
)
def test_every_form_of_picture_becomes_colours_within_the_limit(mode, size, pixels) -> None:
    file = Image.open(
        io.BytesIO(stored("TIFF" if mode == "CMYK" else "PNG", Image.new(mode, size)))
    )
    picture, scale = picture_at(file, 0, pixels)
    assert picture.mode == "RGB" and 0 < scale <= 1
    assert picture.width * picture.height <= max(pixels, *size)


def test_light_text_of_16_bits_and_transparent_ground_stay_readable() -> None:
    deep = Image.open(io.BytesIO(stored("PNG", Image.new("I;16", (4, 4), 40_000))))
    assert picture_at(deep, 0, 100)[0].getpixel((0, 0)) == (156, 156, 156)
    clear = Image.open(io.BytesIO(stored("PNG", Image.new("RGBA", (4, 4), (0, 0, 0, 0)))))
    assert picture_at(clear, 0, 100)[0].getpixel((0, 0)) == (255, 255, 255)


def test_lines_of_pictures_have_their_places(load: Load, engine, monkeypatch) -> None:
    monkeypatch.setattr(limits, "OCR_PIXELS", 700 * 260 // 4)  # drawn at half the size
    document = load(stored("PNG", scan(*LINES)), "a.png")
    (line,) = document.pages[0].lines
    assert line.box == (80.0, 100.0, 480.0, 180.0)  # pixels of the file, from below
    assert (line.start, line.end) == (0, len(document.pages[0].text))


def test_a_mark_of_a_picture_is_drawn_on_its_line(tmp_path) -> None:
    path = tmp_path / "letter.png"
    path.write_bytes(stored("PNG", Image.new("RGB", (1_200, 800), "white")))
    mark = Mark(
        1, (200.0, 600.0, 1_000.0, 700.0), 0.5, 1.0
    )  # the right half of a line near the top
    drawn = Image.open(io.BytesIO(page_image(path, 1, marks=(mark,), width=600)))
    marked = [drawn.getpixel(at) != (255, 255, 255) for at in ((150, 75), (450, 75), (450, 300))]
    assert drawn.size == (600, 400) and marked == [False, True, False]


@pytest.mark.parametrize("turned", [0, 90, 180, 270])
def test_lines_of_a_scanned_pdf_have_their_places(turned: int, tmp_path, monkeypatch) -> None:
    blank = Image.new("RGB", (200, 300), (250, 250, 250))

    def page(canvas: Canvas) -> None:
        canvas.drawImage(ImageReader(blank), 0, 0, *SIZE)
        canvas.setPageRotation(turned)

    path = tmp_path / "scan.pdf"
    path.write_bytes(canvas_pdf([page]))
    shown: list[Image.Image] = []

    def read(picture: Image.Image) -> list[ocr_engine.TextBox]:
        shown.append(picture)
        return [(300.0, 100.0, 900.0, 140.0, "The river rose in the night and took the mill.")]

    monkeypatch.setattr(ocr_engine, "is_installed", lambda: True)
    monkeypatch.setattr(ocr_engine, "load_engine", lambda: read)
    (line,) = load_document(path, ocr=True).pages[0].lines
    width, height = shown[0].size
    png = page_image(path, 1, marks=(Mark(1, line.box),), width=1_000)
    drawn = Image.open(io.BytesIO(png)).convert("RGB")
    scale = drawn.width / width
    assert drawn.height == pytest.approx(height * scale, abs=2)
    marked = [
        drawn.getpixel((round(x * scale), round(y * scale)))[2] < 150
        for x, y in ((310, 120), (890, 120), (600, 120), (200, 120), (600, 200), (950, 120))
    ]
    assert marked == [True, True, True, False, False, False]


def test_a_cited_picture_is_drawn(tmp_path) -> None:
    path = tmp_path / "letter.tiff"
    path.write_bytes(stored("TIFF", scan(*LINES), scan(*LINES, size=(400, 200))))
    drawn = Image.open(io.BytesIO(page_image(path, 2, ("forty sacks",), width=600)))
    assert drawn.size == (400, 200)


def test_pictures_in_folders_are_read_on_request(tmp_path) -> None:
    for name in ("a.png", "b.txt", "c.TIFF"):
        (tmp_path / name).write_bytes(b"-")

    def names(*paths: object, **options: bool) -> list[str]:
        return [path.name for path, _ in files_in(list(map(str, paths)), **options)]

    assert names(tmp_path) == ["b.txt"]
    assert names(tmp_path, ocr=True) == ["a.png", "b.txt", "c.TIFF"]
    assert names(tmp_path / "a.png") == ["a.png"]


@pytest.mark.skipif(not ocr_engine.is_installed(), reason="needs pip install .[ocr]")
def test_ocr_reads_a_real_picture(load: Load) -> None:
    for fmt in ("PNG", "TIFF"):
        assert words(load(stored(fmt, scan(*LINES)), f"a.{fmt.lower()}")) == " ".join(LINES)
