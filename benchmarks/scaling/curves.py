"""Two plots of lines side by side as one SVG, readable on white and on black."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

from benchmarks.scaling.scenarios import Point

WIDTH, HEIGHT, LEFT, TOP, BOTTOM = 390, 300, 46, 36, 46
STYLE = """
  text { font: 12px system-ui, sans-serif; fill: #333 }
  .title { font-weight: 600 }
  .grid { stroke: #8886; stroke-width: 1 }
  path { fill: none; stroke-width: 2 }
  .line0 { stroke: #2f7ed8 } .line1 { stroke: #d8862f } .line2 { stroke: #4a9c5d }
  text.line0 { fill: #2f7ed8; stroke: none } text.line1 { fill: #d8862f; stroke: none }
  text.line2 { fill: #4a9c5d; stroke: none }
  @media (prefers-color-scheme: dark) { text { fill: #ddd } }
"""


@dataclass(frozen=True)
class Plot:
    """Lines over a logarithmic axis; `most` is the top of the other one."""

    title: str
    lines: Mapping[str, Sequence[Point]]
    most: float
    marks: Sequence[float]
    said: Callable[[float], str]

    def drawn(self, offset: float, across: Sequence[float]) -> list[str]:
        """Its part of the file; `across` are the marks of the logarithmic axis."""
        first, last = math.log(across[0]), math.log(across[-1])
        right, floor = WIDTH - 14, HEIGHT - BOTTOM

        def x(figure: float) -> float:
            return offset + LEFT + (math.log(figure) - first) / (last - first) * (right - LEFT)

        def y(figure: float) -> float:
            return floor - min(figure, self.most) / self.most * (floor - TOP)

        texts = [f'<text class="title" x="{offset + 8}" y="18">{escape(self.title)}</text>']
        for mark in self.marks:
            line = f'x1="{offset + LEFT}" x2="{offset + right}" y1="{y(mark):.1f}" y2="{y(mark):.1f}"'
            texts.append(f'<line class="grid" {line}/>')
            texts.append(
                f'<text x="{offset + LEFT - 6}" y="{y(mark) + 4:.1f}" text-anchor="end">{self.said(mark)}</text>'
            )
        texts += [
            f'<text x="{x(mark):.1f}" y="{floor + 18}" text-anchor="middle">{mark:,.0f}</text>' for mark in across
        ]
        texts.append(f'<text x="{offset + (LEFT + right) / 2}" y="{HEIGHT - 10}" text-anchor="middle">workers</text>')
        for number, (name, points) in enumerate(self.lines.items()):
            path = " L".join(f"{x(one):.1f} {y(two):.1f}" for one, two in points)
            texts.append(f'<path class="line{number}" d="M{path}"/>')
            place = f'x="{offset + LEFT + 10}" y="{TOP + 16 + 16 * number}"'
            texts.append(f'<text class="line{number}" {place}>{escape(name)}</text>')
        return texts


def draw(into: Path, plots: Sequence[Plot], across: Sequence[float]) -> None:
    """One beside the other."""
    width = WIDTH * len(plots)
    title = escape("; ".join(plot.title for plot in plots))
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {HEIGHT}" role="img">'
    parts = [text for number, plot in enumerate(plots) for text in plot.drawn(WIDTH * number, across)]
    into.write_text("\n".join([head, f"<title>{title}</title>", f"<style>{STYLE}</style>", *parts, "</svg>", ""]))
