"""Where a span of the syntax tree lies in a file's text, whatever its encoding and line ends.

``ast`` counts columns in the UTF-8 bytes of a decoded line. For it a line ends at LF, CR LF, or CR alone: not at the
form feeds and Unicode separators that ``str.splitlines`` also takes for line ends.
"""

import ast
import io
import re
import tokenize
from collections import deque
from dataclasses import dataclass
from functools import cached_property

from tune.promotion.found import Span
from tune.promotion.program import Source

LINE_END = re.compile("\r\n|\r|\n")


@dataclass(frozen=True)
class Layout:
    """A file's text as it stands, line ends and all."""

    source: Source

    @cached_property
    def encoding(self) -> str:
        """The file's encoding; ``utf-8-sig`` where it begins with a byte-order mark."""
        return tokenize.detect_encoding(io.BytesIO(self.source.raw).readline)[0]

    @cached_property
    def text(self) -> str:
        """The file decoded, its line ends as they are."""
        return self.source.raw.decode(self.encoding)

    @cached_property
    def expressions(self) -> dict[Span, ast.expr]:
        """The file's expressions by their span. Of several at one span the outermost stands for all."""
        found: dict[Span, ast.expr] = {}
        waiting: deque[ast.AST] = deque([self.source.tree])
        while waiting:
            node = waiting.popleft()
            if isinstance(node, ast.expr):
                found.setdefault(Span.of(node), node)
            if not isinstance(node, ast.JoinedStr):  # Python 3.11 has no true columns in f-strings
                waiting.extend(ast.iter_child_nodes(node))
        return found

    def offsets(self, span: Span) -> tuple[int, int]:
        """Return the begin and the end of a span as indices of ``text``."""
        return self._offset(span.line, span.column), self._offset(span.end_line, span.end_column)

    def snippet(self, span: Span) -> str:
        """Return the text of a span."""
        begin, end = self.offsets(span)
        return self.text[begin:end]

    def can_encode(self, text: str) -> bool:
        """Tell whether the file's encoding has every character of ``text``."""
        try:
            text.encode(self.encoding)
        except UnicodeEncodeError:
            return False
        return True

    def _offset(self, line: int, column: int) -> int:
        start = self._line_starts[line - 1]
        ahead = self.text[start : start + column].encode("utf-8", "surrogatepass")[
            :column
        ]  # a character has a byte or more
        return start + len(ahead.decode("utf-8", "surrogatepass"))

    @cached_property
    def _line_starts(self) -> list[int]:
        return [0, *(match.end() for match in LINE_END.finditer(self.text))]
