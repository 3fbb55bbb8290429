"""Geometry of a bar chart as values; the template only writes them down as SVG."""

from collections.abc import Sequence
from dataclasses import dataclass
from gettext import gettext as _

from gateway import figures
from gateway.services.overview import DayUsage

WIDTH = 760
HEIGHT = 200
LEFT = 34  # room for the scale
TOP = 8
BOTTOM = 22  # room for the days
LABEL_WIDTH = 76


@dataclass(frozen=True, slots=True)
class Part:
    name: str
    y: float
    height: float


@dataclass(frozen=True, slots=True)
class Bar:
    """`label` is empty where the axis has no room for it; the table has every `name`."""

    x: float
    width: float
    name: str
    label: str
    title: str
    parts: tuple[Part, ...]
    values: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Line:
    y: float
    label: str


@dataclass(frozen=True, slots=True)
class BarChart:
    bars: tuple[Bar, ...]
    lines: tuple[Line, ...]
    legend: tuple[tuple[str, str], ...]
    axis: str
    width: int
    height: int = HEIGHT
    left: int = LEFT


def calls_per_day(days: Sequence[DayUsage], width: int = WIDTH) -> BarChart:
    """Answered calls below, missed ones on top."""
    top = scale_top(max((day.calls for day in days), default=0))
    inner = HEIGHT - TOP - BOTTOM
    slot = (width - LEFT) / max(len(days), 1)
    every = -(-len(days) // (width // LABEL_WIDTH))
    bars = []
    for n, day in enumerate(days):
        answered, missed = inner * day.answered / top, inner * day.missed / top
        floor = TOP + inner
        name = figures.day(day.day)
        bars.append(
            Bar(
                x=round(LEFT + n * slot + slot * 0.12, 2),
                width=round(slot * 0.76, 2),
                name=name,
                label=name if (len(days) - 1 - n) % every == 0 else "",
                title=_("%(day)s: %(answered)d answered, %(missed)d missed")
                % {"day": name, "answered": day.answered, "missed": day.missed},
                parts=(
                    Part("answered", round(floor - answered, 2), round(answered, 2)),
                    Part("missed", round(floor - answered - missed, 2), round(missed, 2)),
                ),
                values=(day.answered, day.missed),
            )
        )
    lines = tuple(
        Line(round(TOP + inner - inner * step / 4, 2), figures.count(top * step // 4))
        for step in range(5)
    )
    legend = (("answered", _("Answered")), ("missed", _("Missed")))
    return BarChart(tuple(bars), lines, legend, axis=_("Day"), width=width)


def scale_top(highest: int) -> int:
    """The top of the scale: a round number that four lines divide evenly."""
    top = 4
    while top < highest:
        for factor in (2, 2.5, 2):  # 4, 8, 20, 40, 80, 200, …
            top = int(top * factor)
            if top >= highest:
                break
    return top
