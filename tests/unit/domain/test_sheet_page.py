"""The sheet to print: one file that loads nothing, with a code that a real reader reads."""

import re
from html.parser import HTMLParser

import pytest
import zxingcpp

from tests.unit.domain.test_sheet import ACCESS, a_sheet
from unstoppable.domain import groups
from unstoppable.domain.keys import KeyKind
from unstoppable.domain.sheet_page import as_page, qr_code

_PIXELS = 4
"""The width of a module of the code."""


class Page(HTMLParser):
    """What a browser would see."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in {"meta", "path"}:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def decoded(svg: str) -> list[str]:
    """Return what a reader of codes reads from one drawn as SVG: lines to the right."""
    drawing = Page(svg).tags
    (box,) = (attributes["viewbox"] for tag, attributes in drawing if tag == "svg")
    (path,) = (attributes["d"] for tag, attributes in drawing if tag == "path")
    assert box
    assert path
    side = int(box.split()[2])
    dark: set[tuple[int, int]] = set()
    x, y = 0.0, 0.0
    for command, numbers in re.findall(r"([Mmh])([^Mmh]*)", path):
        values = [float(number) for number in re.findall(r"-?[0-9.]+", numbers)]
        if command == "h":
            dark |= {(int(x) + step, int(y)) for step in range(int(values[0]))}
            x += values[0]
        else:
            is_absolute = command == "M"
            x, y = (values[0], values[1]) if is_absolute else (x + values[0], y + values[1])
    width = side * _PIXELS
    pixels = bytes(
        0 if (column // _PIXELS, row // _PIXELS) in dark else 255
        for row in range(width)
        for column in range(width)
    )
    image = memoryview(pixels).cast("B", (width, width))
    return [barcode.text for barcode in zxingcpp.read_barcodes(image)]


@pytest.mark.parametrize("kind", KeyKind)
def test_the_code_holds_the_secret_and_nothing_else(kind):
    sheet = a_sheet(kind)
    (svg,) = re.findall(r"<svg.*</svg>", as_page(sheet))

    assert decoded(svg) == [sheet.secret]
    assert decoded(qr_code("another text")) == ["another text"]


@pytest.mark.parametrize("kind", KeyKind)
def test_the_page_loads_nothing_and_runs_nothing(kind):
    html = as_page(a_sheet(kind))
    page = Page(html)

    assert page.open == []
    assert {tag for tag, _ in page.tags}.isdisjoint(
        {"a", "base", "embed", "form", "iframe", "img", "link", "object", "script", "use"}
    )
    attributes = {name for _, given in page.tags for name in given}
    assert attributes.isdisjoint({"src", "srcset", "href", "xlink:href", "data", "style", "action"})
    assert not [name for name in attributes if name.startswith("on")]
    assert not re.search(r"url\(|@import|https?:|//", html)
    policy = {given.get("http-equiv"): given.get("content") for _, given in page.tags}
    assert policy["Content-Security-Policy"] == "default-src 'none'; style-src 'unsafe-inline'"


@pytest.mark.parametrize("access", [None, ACCESS])
@pytest.mark.parametrize("kind", KeyKind)
def test_the_page_tells_what_the_text_tells(kind, access):
    sheet = a_sheet(kind, cold=b'/srv/<b>&"it\'s"', name="acme/www", access=access)
    page = Page(as_page(sheet))

    for name, value in sheet.facts:
        assert name in page.text
        assert value in page.text
    assert sheet.commands in page.text
    assert " ".join(sheet.how) in page.text
    assert all(line in page.text for line in sheet.after)
    typed = [line for line in page.text.splitlines() if re.match(r" *[0-9]+: ", line)]
    assert groups.join("\n".join(typed), len(sheet.secret)) == sheet.secret
    assert "b" not in {tag for tag, _ in page.tags}
