"""rich's Live on a terminal that is resized.

Most terminals break their lines anew when they get narrower. rich 15 goes up as many rows as it had drawn, so that
parts of the old picture stay behind; here it goes up as many as its lines take now.
"""

from collections.abc import Callable

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, ConsoleRenderable, RenderableType, RenderResult
from rich.control import Control
from rich.live import Live
from rich.live_render import LiveRender
from rich.segment import ControlType, Segment


class ReflowingLive(Live):
    """Draws when it is told to, leaves nothing behind, and leaves standard output and error alone."""

    def __init__(self, console: Console, get_renderable: Callable[[], RenderableType]) -> None:
        super().__init__(
            console=console,
            get_renderable=get_renderable,
            auto_refresh=False,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._live_render = _Reflowing(console, self.get_renderable())

    def process_renderables(self, renderables: list[ConsoleRenderable]) -> list[ConsoleRenderable]:
        """Put what is printed above the picture."""
        with self._lock:
            return [self._live_render.position_cursor(), *renderables, self._live_render]


class _Reflowing(LiveRender):
    """Knows how many rows its last picture takes in the terminal as it is now."""

    def __init__(self, console: Console, renderable: RenderableType) -> None:
        super().__init__(renderable, vertical_overflow="crop")
        self._console = console
        self._widths: list[int] = []  # of the lines of the last picture, in cells

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        segments = [each for each in super().__rich_console__(console, options) if isinstance(each, Segment)]
        text = "".join(segment.text for segment in segments if not segment.control)
        self._widths = [cell_len(line) for line in text.split("\n")]
        yield from segments

    def position_cursor(self) -> Control:
        return self._erase_rows(self._row_count - 1) if self._widths else Control()

    def restore_cursor(self) -> Control:
        return self._erase_rows(self._row_count) if self._widths else Control()

    @property
    def _row_count(self) -> int:
        width = max(1, self._console.width)
        return sum(max(1, -(-cells // width)) for cells in self._widths)

    def _erase_rows(self, n_up: int) -> Control:
        up = ((ControlType.CURSOR_UP, 1), (ControlType.ERASE_IN_LINE, 2)) * n_up
        return Control(ControlType.CARRIAGE_RETURN, (ControlType.ERASE_IN_LINE, 2), *up)
