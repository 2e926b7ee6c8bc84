"""A terminal's screen as a page: what pyte knows of each cell, in the colours of a dark theme."""

from html import escape
from itertools import groupby

COLOURS = {
    "default": "#d7dce2",
    "black": "#5c6773",
    "red": "#f07178",
    "green": "#7fd962",
    "brown": "#ffb454",  # pyte's name of yellow
    "blue": "#59c2ff",
    "magenta": "#d2a6ff",
    "cyan": "#95e6cb",
    "white": "#ffffff",
}
DIM = "#8a939f"
PAGE = """<!doctype html><meta charset="utf-8"><style>
body {{ margin: 0; background: #14191f; }}
#terminal {{ display: inline-block; padding: 20px 24px; }}
pre {{ margin: 0; font: 15px/1.4 "DejaVu Sans Mono", monospace; color: #d7dce2; }}
b {{ font-weight: 700; }}
</style><div id="terminal"><pre>{lines}</pre></div>"""


def page_of(command, screen, dim_lines):
    """Return HTML of a command and of what it shows; pyte forgets what is dim, so lines are named that are."""
    n_lines = max(row for row in range(screen.lines) if screen.display[row].strip()) + 1
    lines = [f"<b>$ {escape(command)}</b>"]
    for row in range(n_lines):
        cells = [screen.buffer[row][column] for column in range(len(screen.display[row].rstrip()))]
        dim = screen.display[row].startswith(dim_lines)
        lines.append("".join(_span(style, group, dim) for style, group in groupby(cells, key=_style)))
    return PAGE.format(lines="\n".join(lines))


def _style(cell):
    return cell.fg, cell.bold


def _span(style, cells, dim):
    colour, bold = style
    text = escape("".join(cell.data for cell in cells))
    shown = DIM if dim and colour == "default" else COLOURS.get(colour, COLOURS["default"])
    return f'<span style="color: {shown}; font-weight: {700 if bold else 400}">{text}</span>'
