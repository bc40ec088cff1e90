"""Texts of `targets.toml`: one in order, and as many layouts of weights as there are tastes."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from decimal import Decimal

import pytest
from hypothesis import settings
from hypothesis import strategies as st

from rebalancer.errors import ConfigError
from rebalancer.targets.file import parse_targets

GOOD = """version = 1
quote = "USDT"

[weights]
BTC = 60
ETH = 25.5
USDT = 14.5
"""
UNTIMED = settings(deadline=None)  # how busy the machine is, is no property
COINS = ("BTC", "ETH", "SOL", "XRP", "LINK", "1INCH", "DOGE")


def problems(text: str) -> list[str]:
    """Return the lines of the refusal of a text, without the file's name."""
    with pytest.raises(ConfigError) as caught:
        parse_targets(text, "targets.toml")
    lines = str(caught.value).splitlines()
    assert all(line.startswith("targets.toml:") for line in lines), lines
    return [line.removeprefix("targets.toml:") for line in lines]


@dataclass(frozen=True)
class Written:
    """A file as somebody may have written it; `rows` knows each weight's line and what stands around its figure."""

    lines: list[str]
    rows: dict[str, tuple[int, str, str]]
    weights: dict[str, Decimal]
    newline: str
    end: str

    @property
    def text(self) -> str:
        return self.newline.join(self.lines) + self.end

    def with_figures(self, figures: dict[str, str]) -> Written:
        """Return the file with other figures in their places, and not a byte more changed."""
        lines = list(self.lines)
        for name, figure in figures.items():
            index, before, after = self.rows[name]
            lines[index] = before + figure + after
        return replace(self, lines=lines)


@st.composite
def splits(draw: st.DrawFn, coins: list[str]) -> dict[str, Decimal]:
    """Return positive percents, with up to four decimals, that sum to 100; the quote coin is last and at least 4."""
    cuts = draw(st.lists(st.integers(1, 96_0000), min_size=len(coins), max_size=len(coins), unique=True).map(sorted))
    edges = [0, *cuts, 100_0000]
    parts = [Decimal(high - low).scaleb(-4) for low, high in itertools.pairwise(edges)]
    return dict(zip([*coins, "USDT"], parts, strict=True))


@st.composite
def written(draw: st.DrawFn) -> Written:
    """Return a file with comments, blank lines, indents, quoted keys, spaces and line ends of any taste."""
    coins = draw(st.lists(st.sampled_from(COINS), min_size=1, unique=True))
    weights = draw(splits(coins))
    names = draw(st.permutations(list(weights)))
    space = st.sampled_from(["", " ", "   ", "\t"])
    comment = st.sampled_from(["", "# percent = 3", " # BTC = 1, [weights] — größer", "\t#", "   #  x  "])
    loose = st.lists(st.sampled_from(["", "  ", "# a line = 1", "  # [bands]"]), max_size=2)
    lines = [*draw(loose), "version=1", f'quote = "USDT"{draw(comment)}', *draw(loose), f"[weights]{draw(comment)}"]
    rows: dict[str, tuple[int, str, str]] = {}
    for name in names:
        key = draw(st.sampled_from([name, f'"{name}"', f"'{name}'"]))
        figure = f"{weights[name]:f}"
        figure = draw(st.sampled_from([figure, f"+{figure}", f"{weights[name].normalize():f}"]))
        before, after = f"{draw(space)}{key}{draw(space)}={draw(space)}", draw(space) + draw(comment)
        lines += draw(loose)
        rows[name] = (len(lines), before, after)
        lines.append(before + figure + after)
    if draw(st.booleans()):
        lines += [*draw(loose), f"[limits]{draw(comment)}", "max_orders_per_day = 7", "[codes]", *draw(loose)]
    newline = draw(st.sampled_from(["\n", "\r\n"]))
    end = draw(st.sampled_from(["", newline, newline * 3]))
    return Written(lines, rows, {name: weights[name] for name in names}, newline, end)
