"""The recovery sheet as one page to print: one file that loads nothing."""

from html import escape

import segno

from unstoppable.domain.sheet import TITLE, TYPING, WARNING, WITHOUT_US, Sheet

_PAGE = """\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy"
 content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="robots" content="noindex">
<title>{title}</title>
<style>
@page {{ size: A4; margin: {margin}mm }}
body {{ background: white; color: black; font: 9.5pt/1.3 sans-serif; max-width: 182mm;
  margin: 0 auto }}
h1 {{ font-size: 16pt; margin: 0 0 2mm }}
h2 {{ font-size: 11pt; margin: 4mm 0 1mm }}
p {{ margin: 0 0 1mm }}
.warning {{ border: 1pt solid black; padding: 2mm 3mm 1mm }}
td, pre, li {{ font-family: monospace; overflow-wrap: anywhere }}
th {{ font-weight: normal; padding: 0 4mm 0 0; text-align: left; vertical-align: top }}
td {{ font-size: 9pt }}
pre {{ border-left: 2pt solid black; line-height: 1.15; margin: 1mm 0; padding-left: 3mm;
  white-space: pre-wrap }}
.secret {{ align-items: center; display: flex; justify-content: space-between; margin: 2mm 0;
  padding-right: 10mm }}
ol {{ columns: {columns}; font-size: {size}pt; line-height: {leading}; list-style: none; margin: 0;
  padding: 0 }}
li {{ white-space: pre }}
svg {{ height: {side}mm; width: {side}mm }}
</style>
</head>
<body>
<h1>{title}</h1>
<div class="warning">
{warning}
</div>
<h2>What is protected, and where it lies</h2>
<table>
{facts}
</table>
<h2>{heading}</h2>
{typing}
<div class="secret">
<ol>
{groups}
</ol>
{code}
</div>
<p>The code holds the {digits} digits without check digits, and nothing else.
Read it with a program that sends nothing away.</p>
<h2>To get everything back</h2>
<p>{how}</p>
<pre>{commands}</pre>
{after}
</body>
</html>
"""
_FEW = 8


def as_page(sheet: Sheet) -> str:
    """Return the sheet as HTML that fits one page of A4, black on white."""
    is_short, is_of_bucket = len(sheet.groups) <= _FEW, sheet.access is not None
    facts = "\n".join(
        f"<tr><th>{name}</th><td>{escape(value)}</td></tr>" for name, value in sheet.facts
    )
    width = len(str(len(sheet.groups)))
    listed = (
        f"<li>{number:>{width}}: {group}</li>" for number, group in enumerate(sheet.groups, 1)
    )
    return _PAGE.format(
        title=TITLE,
        warning=_paragraphs(WARNING),
        facts=facts,
        heading=escape(sheet.heading[:1].upper() + sheet.heading[1:]),
        typing=_paragraphs(TYPING),
        groups="\n".join(listed),
        code=qr_code(sheet.secret),
        digits=len(sheet.secret),
        commands=escape(sheet.commands, quote=False),
        how=escape(" ".join(sheet.how), quote=False),
        after=_paragraphs((*sheet.after, WITHOUT_US)),
        # What reaches a bucket takes the room of larger letters.
        margin=9 if is_of_bucket else 14,
        columns=2 if is_of_bucket and not is_short else 1,
        size=(14 if is_of_bucket else 16) if is_short else 12,
        leading=(1.2 if is_of_bucket else 1.4) if is_short else 1.15,
        side=(46 if is_of_bucket else 62) if is_short else 50 if is_of_bucket else 74,
    )


def qr_code(text: str) -> str:
    """Return a QR code as SVG to stand within HTML; a quarter of it may be spoilt."""
    code = segno.make(text, error="q", micro=False)
    return code.svg_inline(omitsize=True, border=4, svgclass=None, lineclass=None)


def _paragraphs(lines: tuple[str, ...]) -> str:
    return "\n".join(f"<p>{escape(line)}</p>" for line in lines)
