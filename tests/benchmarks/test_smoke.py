"""The benchmarks run and say what they promise. How fast anything is, no test asks."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from rebalancer.backtest.series import generate
from tests.backtest.histories import write_csv
from tests.benchmarks.policy_parts.ratios import LIMITS

ROOT = Path(__file__).parents[2]
FIGURES = {
    "startup": ["rebalancer --version / import httpx", "plan to its first request / import httpx"],
    "idle": ["serve idle after one cycle, resident"],
    "planning": ["plan of 50 assets", "drift and bands of 50 assets"],
    "calibration": [
        f"{market}: {what}, measured / bundled" for market in ("calm", "usual", "wild") for what in ("traded", "stray")
    ],
    "page_flood": ["an order while the page is flooded / quiet"],
    "reads": ["reads of a cycle / their dependent floor"],
}
MORE = {"calibration": ["--days", "60"]}


@pytest.mark.parametrize("name", FIGURES)
def test_a_benchmark_gives_its_figures_as_one_document(name: str) -> None:
    command = [sys.executable, "-m", f"tests.benchmarks.{name}", "--runs", "1", "--json", *MORE.get(name, [])]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert ended.returncode in {0, 1}, ended.stderr  # 1: a figure is over its limit, which this is no place to judge
    figures = json.loads(ended.stdout)
    assert [figure["name"] for figure in figures] == FIGURES[name]
    assert all(figure["value"] > 0 and figure["holds"] == (figure["value"] <= figure["limit"]) for figure in figures)


def test_every_benchmark_is_named_here() -> None:
    modules = {path.stem for path in Path(__file__).parent.glob("*.py")} - {"figures", "test_smoke", "__init__"}
    assert modules == {*FIGURES, "policy", "page", "distrust"}


def test_the_pages_benchmark_times_every_view() -> None:
    command = [sys.executable, "-m", "tests.benchmarks.page", "--runs", "60", "--json"]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    figures = json.loads(ended.stdout)
    assert figures.keys() == {"start", "/", "/runs", "/cost", "/coins/BTC", "/health", "/targets", "memory"}
    assert all(figure > 0 for figure in figures.values())


def test_the_policy_benchmark_takes_any_prices_and_names_its_figures(tmp_path: Path) -> None:
    prices = write_csv(tmp_path / "prices.csv", generate(3, 300, ("XRP", "OTHER", "BTC")))
    command = [sys.executable, "-m", "tests.benchmarks.policy", "--prices", str(prices), "--rms", "2", "--json"]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    document = json.loads(ended.stdout)
    assert document["case"]["targets"] == {"BTC": "64.29", "XRP": "25.71", "USDT": "10.00"}, ended.stderr
    assert document["with_caps_and_guards"].keys() == document["limits"].keys() == set(LIMITS)
    for name in LIMITS:
        assert document[name] is None or document[name] > 0, name
    assert document["fee_ratio_half"] < 1 > document["fee_ratio_sell_all"], "bands cost less than what they replace"
    assert ended.returncode == (0 if document["holds"] else 1)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--targets", "BTC=60,USDT=30"], "sum to 90"),
        (["--targets", "BTC=60;USDT=40"], "is not COIN=PERCENT"),
        (["--targets", "BTC=60,ETH=40"], "name no USDT"),
        (["--targets", "DOGE=60,USDT=40", "--prices", "PRICES"], "no column for DOGE"),
        (["--prices", "absent.csv"], "cannot be read"),
        (["--fee", "2"], "fee_rate is 2, must be from 0 to 0.1"),
    ],
)
def test_the_policy_benchmark_says_what_it_cannot_take(tmp_path: Path, arguments: list[str], says: str) -> None:
    prices = write_csv(tmp_path / "prices.csv", generate(3, 30, ("BTC",)))
    given = [str(prices) if argument == "PRICES" else argument for argument in arguments]
    command = [sys.executable, "-m", "tests.benchmarks.policy", *given]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert ended.returncode == 1 and says in ended.stderr and "Traceback" not in ended.stderr, ended.stderr


def test_the_stories_of_lies_are_told_as_one_document() -> None:
    command = [sys.executable, "-m", "tests.benchmarks.distrust", "--json"]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    told = json.loads(ended.stdout)
    assert "prices ten times too high" in told and all(each["states"][0] == "normal" for each in told.values())
