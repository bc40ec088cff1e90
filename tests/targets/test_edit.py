"""Editing `targets.toml`: what was not asked for stays to the byte, and no moment leaves the owner without a file."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from rebalancer.core.money import plain
from rebalancer.errors import ConfigError
from rebalancer.targets.edit import diff, replace_atomically, set_weights
from rebalancer.targets.file import parse_targets
from tests.service.wire import Crash
from tests.targets.files import COINS, GOOD, UNTIMED, Written, splits, written

NEW = GOOD.replace("60", "50").replace("14.5", "24.5")


def changed(**percents: str) -> dict[str, Decimal]:
    return {asset: Decimal(percent) for asset, percent in percents.items()}


@st.composite
def wishes(draw: st.DrawFn) -> tuple[Written, dict[str, Decimal]]:
    """Return a file and other weights for the same coins."""
    file = draw(written())
    return file, draw(splits([coin for coin in file.weights if coin != "USDT"]))


@UNTIMED
@given(wishes())
def test_setting_weights_changes_their_figures_and_no_other_byte(case: tuple[Written, dict[str, Decimal]]) -> None:
    file, wished = case
    after = set_weights(file.text, wished, (), "f")
    assert after == file.with_figures({name: plain(percent) for name, percent in wished.items()}).text
    assert parse_targets(after, "f").weights == wished


@UNTIMED
@given(written(), st.sampled_from(COINS))
def test_adding_a_coin_adds_one_line_behind_the_last_weight(file: Written, coin: str) -> None:
    assume(coin not in file.weights)
    half = file.weights["USDT"] / 2
    after = set_weights(file.text, {"USDT": half, coin: half}, (), "f")
    expected = file.with_figures({"USDT": plain(half)})
    last = max(index for index, _before, _after in file.rows.values())
    lines = after.removesuffix(file.end).split(file.newline)
    assert lines.pop(last + 1).strip() == f"{coin} = {plain(half)}"
    assert file.newline.join(lines) + file.end == expected.text
    assert list(parse_targets(after, "f").weights) == [*file.weights, coin]


@UNTIMED
@given(written())
def test_leaving_a_coin_takes_its_line_out_and_no_other_byte(file: Written) -> None:
    coin = next(each for each in file.weights if each != "USDT")
    assume(len(file.weights) > 2)
    cash = file.weights["USDT"] + file.weights[coin]
    after = set_weights(file.text, {"USDT": cash}, [coin], "f")
    expected = file.with_figures({"USDT": plain(cash)})
    del expected.lines[file.rows[coin][0]]
    assert after.removesuffix(file.newline) == expected.text.removesuffix(file.newline)
    assert coin not in parse_targets(after, "f").weights


@UNTIMED
@given(written())
def test_selling_a_coin_takes_its_line_out_and_names_it_whatever_the_layout(file: Written) -> None:
    coin = next(each for each in file.weights if each != "USDT")
    assume(len(file.weights) > 2)
    cash = {"USDT": file.weights["USDT"] + file.weights[coin]}
    after = set_weights(file.text, cash, [], "f", sell=[coin])
    left = set_weights(file.text, cash, [coin], "f")
    made = parse_targets(after, "f")
    assert made.leaving == (coin,) and coin not in made.weights
    assert after.startswith(left) and ("\r\n" in after) == ("\r\n" in file.text)
    other = next(each for each in made.weights if each != "USDT")
    if len(made.weights) > 2:
        more = {"USDT": made.weights["USDT"] + made.weights[other]}
        assert set(parse_targets(set_weights(after, more, [], "f", sell=[other]), "f").leaving) == {coin, other}


@pytest.mark.parametrize("layout", ["exit.DOGE = true\n", "exit = { DOGE = true }\n"])
def test_an_exit_that_is_not_written_as_a_section_is_left_to_the_owner(layout: str) -> None:
    with pytest.raises(ConfigError, match=r"by hand"):
        set_weights(layout + GOOD, changed(USDT="40"), [], "f", sell=["ETH"])


def test_an_edit_that_changes_nothing_changes_nothing() -> None:
    text = (Path(__file__).parents[2] / "targets.toml").read_bytes().decode()
    assert set_weights(text, {}, (), "f") == text
    assert diff(text, text, "now", "before") == ""


@pytest.mark.parametrize(
    ("changes", "leave", "words"),
    [
        (changed(BTC="59"), (), r"f: the weights would sum to 99, must be 100; give some coin 1 more in the same"),
        (changed(BTC="61"), (), r"f: the weights would sum to 101, must be 100; give some coin 1 less in the same"),
        ({}, ["BTC"], "the weights would sum to 40, must be 100; give some coin 60 more"),
        (changed(BTC="0"), (), "BTC=0: a weight of 0 is refused: .*`--exit BTC` or `--leave BTC`"),
        (changed(BTC="-1"), (), "BTC=-1: a weight is above 0 and at most 100 percent"),
        (changed(BTC="NaN"), (), "BTC=NaN: a weight is above 0 and at most 100 percent"),
        (changed(BTC="1e999999"), (), r"BTC=1E\+999999: a weight is above 0 and at most 100 percent"),
        (changed(BTC="1e-19"), (), "BTC: 1E-19 has more than 18 decimals; round it"),
        (changed(btc="60"), (), "btc: an asset is capital letters and digits, such as BTC=40"),
        ({}, ["SOL"], r"f: SOL is not in \[weights\], so it cannot be left out"),
        (changed(BTC="60"), ["BTC"], "BTC: is set and left out in the same command; choose one"),
    ],
)  # fmt: skip
def test_an_edit_that_cannot_be_is_refused_with_what_is_wrong(
    changes: dict[str, Decimal], leave: list[str], words: str
) -> None:
    with pytest.raises(ConfigError, match=words):
        set_weights(GOOD.replace("25.5", "25").replace("14.5", "15"), changes, leave, "f")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("x =", "f:1: not valid TOML"),
        ("version = 1\n", r"f: has no \[weights\] to edit"),
        ("[weights]\n", r"f: has no \[weights\] to edit"),
        ("weights = 3\n", r"f: has no \[weights\] to edit"),
        ('[weights]\nBTC = "60"\nUSDT = 40\n', "f: BTC is not a bare number of percent, so the sum is not known"),
        ("weights.BTC = 20\nweights.USDT = 40\n", r"\[weights\] is not written as one section; write SOL = 40 by hand"),
    ],
)  # fmt: skip
def test_a_file_that_cannot_be_edited_is_refused(text: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        set_weights(text, changed(SOL="40", USDT="40"), (), "f")


def test_a_coin_named_twice_to_be_left_is_left_once() -> None:
    assert "ETH" not in set_weights(GOOD, changed(USDT="40"), ["ETH", "ETH"], "f")


def test_weights_written_inline_are_edited_in_their_place() -> None:
    text = 'quote = "USDT" # x\nweights = { BTC = 60, USDT = 40 } # y\n'
    after = set_weights(text, changed(BTC="50", SOL="10"), (), "f")
    assert after == 'quote = "USDT" # x\nweights = { BTC = 50, USDT = 40, SOL = 10 } # y\n'
    assert tomllib.loads(after)["weights"] == {"BTC": 50, "USDT": 40, "SOL": 10}


def test_replacing_keeps_the_version_before_and_the_mode(tmp_path: Path) -> None:
    path = tmp_path / "targets.toml"
    path.write_text(GOOD)
    path.chmod(0o640)
    previous = replace_atomically(path, NEW)
    assert (path.read_text(), previous.read_text()) == (NEW, GOOD)
    assert {each.stat().st_mode & 0o777 for each in (path, previous)} == {0o640}
    assert sorted(tmp_path.iterdir()) == [path, previous]


def test_replacing_gives_the_file_to_its_owner_where_it_may(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, given_to = tmp_path / "targets.toml", []

    def refuse(_handle: int, *owner: int) -> None:
        given_to.append(owner)
        raise PermissionError

    path.write_text(GOOD)
    monkeypatch.setattr(os, "fchown", refuse)
    replace_atomically(path, NEW)
    assert path.read_text() == NEW
    assert given_to == [(path.stat().st_uid, path.stat().st_gid)] * 2


def test_replacing_what_a_link_leads_to_keeps_the_link(tmp_path: Path) -> None:
    real, link = tmp_path / "real.toml", tmp_path / "targets.toml"
    real.write_text(GOOD)
    link.symlink_to(real)
    previous = replace_atomically(link, NEW)
    assert link.is_symlink()
    assert (real.read_text(), previous.read_text()) == (NEW, GOOD)


def crashes(monkeypatch: pytest.MonkeyPatch, *, after: bool) -> Iterator[Callable[[], None]]:
    """Yield, for each step that touches the disk, the arming of a crash on that side of it; ends with the last step."""
    left, steps = 0, ("open", "fchown", "fchmod", "fsync", "replace")

    def step(real: Callable[..., Any], *args: Any, **more: Any) -> Any:
        nonlocal left
        left -= 1
        if left == 0 and not after:
            raise Crash
        result = real(*args, **more)
        if left == 0:
            raise Crash
        return result

    for name in steps:
        real = getattr(os, name)
        monkeypatch.setattr(os, name, lambda *args, _real=real, **more: step(_real, *args, **more))
    for number in range(1, 1000):

        def arm(number: int = number) -> None:
            nonlocal left
            left = number

        yield arm
        if left > 0:
            return


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_a_crash_at_any_step_leaves_the_old_or_the_new_file_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, after: bool
) -> None:
    path, previous, seen = tmp_path / "targets.toml", tmp_path / "targets.toml.previous", []
    for arm in crashes(monkeypatch, after=after):
        path.write_text(GOOD)
        path.chmod(0o600)
        previous.write_text("older")
        arm()
        try:
            replace_atomically(path, NEW)
        except Crash:
            seen.append((path.read_text(), previous.read_text()))
        assert path.stat().st_mode & 0o777 == 0o600
        if not after:
            assert sorted(tmp_path.iterdir()) == [path, previous]
    assert set(seen) == {(GOOD, "older"), (GOOD, GOOD), (NEW, GOOD)}
    assert len(seen) == 14
    assert (path.read_text(), previous.read_text()) == (NEW, GOOD)
