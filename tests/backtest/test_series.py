"""Price files: read as they are, or refused with the line to mend."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from rebalancer.backtest.series import Series, coins_of, generate, read_csv
from rebalancer.errors import ConfigError
from tests.backtest.histories import HOUR, write_csv


def a_file(folder: Path, text: str) -> Path:
    path = folder / "prices.csv"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(("column", "step"), [("date", timedelta(days=1)), ("time_utc", HOUR)])
def test_a_history_comes_back_from_its_file_to_the_last_bit(tmp_path: Path, column: str, step: timedelta) -> None:
    series = generate(3, 50, ("AAA", "BBB"), step=step)
    found = read_csv(write_csv(tmp_path / "prices.csv", series, column), ("BBB", "AAA"))
    assert found.assets == ("BBB", "AAA") and found.times == series.times
    assert np.array_equal(found.closes, series.closes[:, ::-1])


def test_a_series_starts_where_every_wanted_coin_has_a_price(tmp_path: Path) -> None:
    path = a_file(tmp_path, "date,OLD,NEW\n2020-01-01,1,\n2020-01-02,2,\n2020-01-03,3,9\n2020-01-04,4,8\n")
    assert read_csv(path, ["OLD", "NEW"]).times[0] == datetime(2020, 1, 3, tzinfo=UTC)
    assert len(read_csv(path, ["OLD"])) == 4, "a coin that is not wanted must not shorten the series"


def test_outages_are_no_gaps(tmp_path: Path) -> None:
    path = a_file(tmp_path, "time_utc,AAA\n2021-02-11T03:00,1\n2021-02-11T05:00,2\n")
    first, second = read_csv(path, ["AAA"]).times
    assert second - first == 2 * HOUR


def test_columns_are_found_whatever_their_case_order_and_company(tmp_path: Path) -> None:
    path = a_file(tmp_path, "\ufeffxyz, Btc ,TIME_UTC\n1,2,2021-01-01T00:00Z\n\n1,3,2021-01-01T03:00+02:00\n")
    series = read_csv(path, ["BTC"])
    assert series.closes.ravel().tolist() == [2, 3]
    assert series.times[1] - series.times[0] == HOUR, "a time with an offset is taken to UTC"
    assert coins_of(path) == ("XYZ", "BTC")


REFUSED = [
    ("date,AAA\n2020-01-01,1\n2020-01-02,\n2020-01-03,3\n", ":3: AAA has no price, but had one before (from line 2)"),
    ("date,AAA\n2020-01-01,0\n2020-01-02,2\n", ":2: AAA is '0'"),
    ("date,AAA\n2020-01-01,1\n2020-01-02,-2\n", ":3: AAA is '-2'"),
    ("date,AAA\n2020-01-01,1\n2020-01-02,NaN\n", ":3: AAA is 'NaN'"),
    ("date,AAA\n2020-01-01,1\n2020-01-02,inf\n", ":3: AAA is 'inf'"),
    ("date,AAA\n2020-01-01,1\n2020-01-02,1e999\n", ":3: AAA is '1e999'"),
    ("date,AAA\n2020-01-01,1\n2020-01-02,n/a\n", ":3: AAA is 'n/a'"),
    ("date,AAA\n2020-01-02,1\n2020-01-01,2\n", ":3: times are not in order (2020-01-01)"),
    ("date,AAA\n2020-01-01,1\n2020-01-01,2\n", ":3: the same time twice (2020-01-01)"),
    ("date,AAA\n01/02/2020,1\n2020-01-02,2\n", ":2: date is '01/02/2020', not a date"),
    ("date,AAA\n2020-01-01,1,5\n2020-01-02,2\n", ":2: 3 cells, but the header names 2"),
    ("day,AAA\n2020-01-01,1\n", ":1: no column date or time_utc (found: day, AAA)"),
    ("date,BBB\n2020-01-01,1\n", ":1: no column for AAA (coins there: BBB)"),
    ("date,AAA,aaa\n2020-01-01,1,1\n", ":1: the column AAA stands there twice"),
    ("date,AAA\n2020-01-01,1\n", "1 line(s) hold a price of every coin (AAA), at least 2"),
    ("", ":1: no column date or time_utc (found: nothing)"),
    ('date,AAA\n"2020-01-01,1\n', "is not a CSV file"),
]


@pytest.mark.parametrize(("text", "says"), REFUSED)
def test_a_price_that_cannot_be_believed_is_refused_with_its_line(tmp_path: Path, text: str, says: str) -> None:
    path = a_file(tmp_path, text)
    with pytest.raises(ConfigError) as refused:
        read_csv(path, ["AAA"])
    assert says in str(refused.value) and str(refused.value).startswith(str(path))


def test_what_is_no_text_file_is_refused_by_name(tmp_path: Path) -> None:
    binary = tmp_path / "prices.xlsx"
    binary.write_bytes(b"PK\x03\x04\xff\xfe")
    for path, says in ((binary, "not a CSV file in UTF-8"), (tmp_path / "absent.csv", "No such file")):
        with pytest.raises(ConfigError, match=says):
            read_csv(path, ["AAA"])


def test_the_same_seed_gives_the_same_history_and_another_seed_another() -> None:
    one, again, other = (generate(seed, 30, ("AAA", "BBB")) for seed in (1, 1, 2))
    assert np.array_equal(one.closes, again.closes) and not np.array_equal(one.closes, other.closes)


def test_generated_coins_move_together_about_as_much_as_real_ones() -> None:
    moves = np.diff(np.log(generate(5, 3000, ("AAA", "BBB", "CCC")).closes), axis=0)
    apart = np.corrcoef(moves, rowvar=False)[np.triu_indices(3, 1)]
    assert apart.min() > 0.5 and apart.max() < 0.85, apart
    assert (np.abs(moves).max(axis=0) > 4 * moves.std(axis=0)).all(), "there are jumps"


def test_prices_that_were_checked_cannot_be_written_over() -> None:
    series = generate(1, 5, ("AAA",))
    with pytest.raises(ValueError, match="read-only"):
        series.closes[0, 0] = 0.0
    assert isinstance(series.part(1, 3), Series) and series.part(1, 3).times == series.times[1:3]
