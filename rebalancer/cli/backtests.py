"""What the verbs of `backtest` share: closes from a file or from what was fetched, policies by name, one run of all."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from rebalancer.backtest.calibrate import Point, sweep
from rebalancer.backtest.engine import run_backtest
from rebalancer.backtest.policies import Bands, Calendar, Never, Period, Policy, SellAll, Threshold, run_policy
from rebalancer.backtest.result import Result
from rebalancer.backtest.series import Series, read_csv
from rebalancer.cli.candles import folder_of, load_series
from rebalancer.cli.context import make_state_dir, note
from rebalancer.cli.price_tags import keep_result
from rebalancer.core.model import CandlePeriod
from rebalancer.core.money import HUNDRED
from rebalancer.core.targets import Targets
from rebalancer.errors import ConfigError
from rebalancer.report.frontier import FrontierPoint, frontier_of, settings_to_try

if TYPE_CHECKING:
    from rebalancer.backtest.setting import BacktestSetting
    from rebalancer.report.backtest import BacktestHeader
    from rebalancer.settings import Settings

POLICIES: dict[str, Policy] = {
    "bands": Bands(),
    "threshold": Threshold(),
    "calendar": Calendar(Period.MONTH),
    "calendar-week": Calendar(Period.WEEK),
    "calendar-day": Calendar(Period.DAY),
    "sell_all": SellAll(),
    "never": Never(),
}
DAY = timedelta(days=1)


def policies_of(text: str) -> list[Policy]:
    """Return the policies that a comma list names, in its order; click.BadParameter for another name or one twice."""
    names = [name.strip() for name in text.split(",")]
    for name in names:
        if name not in POLICIES or names.count(name) > 1:
            what = "stands there twice" if name in POLICIES else "is no policy"
            text = f"{name!r} {what}; name each once of {', '.join(POLICIES)}"
            raise click.BadParameter(text, param_hint="--policies")
    return [POLICIES[name] for name in names]


def series_of(
    settings: Settings, targets: Targets, *, prices: Path | None, period: CandlePeriod, since: datetime | None,
    until: datetime | None,
) -> tuple[Series, str]:  # fmt: skip
    """Return the closes of a file, or else the fetched ones, of the days asked for, and in words whose they are."""
    if prices is not None:
        coins = [asset for asset in targets.assets if asset != targets.quote]
        series, source = read_csv(prices, coins), str(prices)
    else:
        series = load_series(folder_of(settings, period), targets)
        source = f"{period.value} candles of {settings.public_kind}"
    return _between(series, since, until), source


def _between(series: Series, since: datetime | None, until: datetime | None) -> Series:
    """Return the closes of some days, both of them included."""
    first = 0 if since is None else bisect_left(series.times, since.replace(tzinfo=UTC))
    last = len(series) if until is None else bisect_left(series.times, until.replace(tzinfo=UTC) + DAY)
    if last - first < 2:  # noqa: PLR2004  # a way from one close to another
        span = f"{series.times[0]:%Y-%m-%d} to {series.times[-1]:%Y-%m-%d}"
        raise ConfigError(f"--from and --to leave {max(0, last - first)} close(s); the prices are of {span}")
    return series.part(first, last)


def run_all(
    policies: Sequence[Policy],
    series: Series,
    targets: Targets,
    setting: BacktestSetting,
    *,
    tell: Callable[[int], None],
) -> list[Result]:
    """Return each policy's result; `tell` hears the closes done, of as many for each policy as there are."""
    results = []
    for number, policy in enumerate(policies):
        before = number * len(series)
        if isinstance(policy, Bands):
            results.append(run_backtest(series, targets, setting, progress=partial(_tell_from, before, tell)))
        else:
            results.append(run_policy(policy, series, targets, setting))
        tell(before + len(series))
    return results


def _tell_from(before: int, tell: Callable[[int], None], done: int) -> None:
    tell(before + done)


def find_frontier(
    series: Series, targets: Targets, setting: BacktestSetting, *, tell: Callable[[int], None]
) -> list[FrontierPoint]:
    """Return what other factors and destinations would have done with the same weights, on all cores."""
    tried = settings_to_try(targets.bands)
    points = [Point(Bands(), replace(targets, bands=bands), setting) for bands in tried]
    return frontier_of(targets.bands, tried, sweep(series, points, progress=tell))


def remember(settings: Settings, header: BacktestHeader, results: Sequence[Result], made_at: datetime) -> None:
    """Keep what the planner itself cost, for the price tags of `plan` and `targets set`; a report never fails of it."""
    found = next((result for result in results if result.policy == Bands().name), None)
    if found is None:
        return
    try:
        make_state_dir(settings)
        keep_result(
            settings,
            header.targets,
            header.setting.fee_rate,
            cost_bps_year=found.cost_percent_year * float(HUNDRED),
            stray_pp=found.rms_pp,
            times=found.times,
            made_at=made_at,
        )
    except (ConfigError, OSError) as exc:
        note(f"! not kept for the price tags: {exc}")
