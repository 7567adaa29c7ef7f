"""A plot of bars as SVG, readable on white and on black."""

from collections.abc import Sequence
from html import escape
from pathlib import Path

LEFT, WIDTH, ROW, BAR = 300, 760, 30, 18
STYLE = """
  text { font: 13px system-ui, sans-serif; fill: #333 }
  .title { font-weight: 600 }
  rect { fill: #9aa5b1 }
  rect.ours { fill: #2f7ed8 }
  @media (prefers-color-scheme: dark) { text { fill: #ddd } rect { fill: #5c6773 } }
"""


def bars(title: str, figures: Sequence[tuple[str, float]], ours: Sequence[str]) -> str:
    """One bar a figure, as long as it is large; the names in `ours` are set off."""
    most = max(figure for _, figure in figures)
    room = WIDTH - LEFT - 90
    height = ROW * (len(figures) + 1) + 10
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img">',
        f"<title>{escape(title)}</title>",
        f"<style>{STYLE}</style>",
        f'<text class="title" x="8" y="20">{escape(title)}</text>',
    ]
    for number, (name, figure) in enumerate(figures, 1):
        top, length = number * ROW + 5, max(1.0, room * figure / most)
        kind = ' class="ours"' if name in ours else ""
        lines += [
            f'<text x="{LEFT - 10}" y="{top + 14}" text-anchor="end">{escape(name)}</text>',
            f'<rect{kind} x="{LEFT}" y="{top}" width="{length:.1f}" height="{BAR}" rx="2"/>',
            f'<text x="{LEFT + length + 8:.1f}" y="{top + 14}">{figure:,.0f}</text>',
        ]
    return "\n".join([*lines, "</svg>", ""])


def draw(into: Path, title: str, figures: Sequence[tuple[str, float]], ours: Sequence[str]) -> None:
    """The largest first."""
    into.write_text(bars(title, sorted(figures, key=lambda one: -one[1]), ours))
