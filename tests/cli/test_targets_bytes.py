"""Through every way to change the targets, in a file of any taste, what was not changed stays to the byte."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rebalancer.cli.exits import Exit
from rebalancer.cli.main import run
from rebalancer.core.money import plain
from rebalancer.service.requests import Ask, Request, leave, take
from rebalancer.targets.file import parse_targets
from rebalancer.targets.staging import stage
from tests.targets.files import COINS, UNTIMED, Written, splits, written

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
FEW = settings(UNTIMED, max_examples=40)
Weights = dict[str, Decimal]


@contextmanager
def kept_in_a_file(text: str) -> Iterator[tuple[Path, Path]]:
    """Yield a targets file with this text and a state directory, which the verbs of this process use."""
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        path, state = Path(folder) / "targets.toml", Path(folder) / "state"
        path.write_bytes(text.encode())
        state.mkdir()
        for name, value in {"TARGETS": path, "STATE_DIR": state, "VENUE": "embedded"}.items():
            patch.setenv(f"REBALANCER_{name}", str(value))
        yield path, state


def change(*words: str) -> None:
    assert run(["targets", *words, "--yes", "--no-preview"]) == Exit.DONE


def edit_on_the_page(path: Path, state: Path, weights: Weights) -> None:
    """Do as the page does, then as the service does with its request, then as the owner in the terminal."""
    facts = {
        "weights": {asset: plain(percent) for asset, percent in weights.items()},
        "based_on": parse_targets(path.read_bytes().decode(), "f").digest,
    }
    leave(state, Request(Ask.STAGE_TARGETS, AT, facts))
    (request,) = take(state, AT)
    stage(state, request.facts, request.asked_at)
    change("confirm")


@st.composite
def wishes(draw: st.DrawFn) -> tuple[Written, Weights]:
    """Return a file and other weights of the same coins, some of them as they were."""
    file = draw(written())
    coins = [coin for coin in file.weights if coin != "USDT"]
    if len(coins) > 1 and draw(st.booleans()):  # only one coin and the cash move
        coin = draw(st.sampled_from(coins))
        both = file.weights[coin] + file.weights["USDT"]
        return file, {**file.weights, coin: both / 4, "USDT": both - both / 4}
    return file, draw(splits(coins))


def expected(file: Written, wished: Weights) -> bytes:
    figures = {asset: plain(percent) for asset, percent in wished.items() if file.weights[asset] != percent}
    return file.with_figures(figures).text.encode()


@FEW
@given(wishes())
def test_set_and_every_undo_touch_nothing_but_the_figures(case: tuple[Written, Weights]) -> None:
    file, wished = case
    words = [f"{asset}={plain(percent)}" for asset, percent in wished.items() if file.weights[asset] != percent]
    if not words:
        return
    with kept_in_a_file(file.text) as (path, _state):
        change("set", *words)
        after = path.read_bytes()
        assert after == expected(file, wished)
        change("undo")
        assert path.read_bytes() == file.text.encode()
        change("undo", parse_targets(after.decode(), "f").digest)
        assert path.read_bytes() == after


@FEW
@given(wishes())
def test_an_edit_on_the_page_touches_nothing_but_the_figures(case: tuple[Written, Weights]) -> None:
    file, wished = case
    with kept_in_a_file(file.text) as (path, state):
        edit_on_the_page(path, state, wished)
        assert path.read_bytes() == expected(file, wished)


@FEW
@given(written(), st.sampled_from(COINS), st.booleans())
def test_a_coin_that_comes_or_goes_on_the_page_costs_no_other_line(file: Written, coin: str, goes: bool) -> None:
    others = [asset for asset in file.weights if asset not in {coin, "USDT"}]
    goes = goes and coin in file.weights and bool(others)
    cash = file.weights["USDT"]
    if not goes and coin in file.weights:
        return
    wished = (
        {**file.weights, "USDT": cash + file.weights[coin]}
        if goes
        else {**file.weights, "USDT": cash / 2, coin: cash / 2}
    )
    wished = {asset: percent for asset, percent in wished.items() if not (goes and asset == coin)}
    with kept_in_a_file(file.text) as (path, state):
        edit_on_the_page(path, state, wished)
        after = path.read_bytes().decode()
    assert parse_targets(after, "f").weights == wished
    before = file.with_figures({"USDT": plain(wished["USDT"])})
    lines = list(before.lines)
    if goes:
        del lines[file.rows[coin][0]]
    found = after.splitlines()
    if not goes:
        found.remove(next(line for line in found if line.strip() == f"{coin} = {plain(cash / 2)}"))
    assert [line for line in found if line] == [line for line in lines if line]
