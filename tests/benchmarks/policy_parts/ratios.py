"""The planner's fee against its rivals' at equal tracking error, and how far small accounts stray."""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal

from rebalancer.backtest.calibrate import AtRms, at_rms, scaled
from rebalancer.backtest.policies import Bands, SellAll, Threshold, run_policy
from rebalancer.backtest.result import Result
from rebalancer.backtest.series import Series
from rebalancer.backtest.setting import BacktestSetting
from rebalancer.core.targets import Route, Targets

HALF_WAY = Decimal("0.5")
SMALL_NAVS = (300, 1000)
LIMITS = {
    "fee_ratio_half": 0.75,
    "fee_ratio_direct": 0.65,
    "fee_ratio_sell_all": 1 / 13,
    "rms_pp_nav_300": 6.0,
    "rms_pp_nav_1000": 3.5,
}


@dataclass(frozen=True)
class Row:
    """One row of figures, None with a note where a figure cannot be had, and the policies they come from."""

    figures: dict[str, float | None]
    notes: list[str]
    policies: dict[str, AtRms | None]


def measure(series: Series, targets: Targets, setting: BacktestSetting, wanted_pp: float) -> Row:
    """Return the five figures under one setting of caps and guards."""
    notes: list[str] = []
    half_way = replace(targets, bands=replace(targets.bands, destination=HALF_WAY))
    half, direct = _bands_at(series, half_way, setting, wanted_pp, Route.QUOTE), None
    if _routed(series, half_way, setting):
        direct = _bands_at(series, half_way, setting, wanted_pp, Route.DIRECT)
    else:
        notes.append("fee_ratio_direct: the planner sent no order over a direct pair")
    threshold = at_rms(lambda width: run_policy(Threshold(width), series, targets, setting), wanted_pp, start=5.0)
    figures: dict[str, float | None] = dict.fromkeys(LIMITS)
    sell_all = None
    found = {"bands": half, "threshold": threshold}
    for name in (name for name, policy in found.items() if policy is None):
        notes.append(f"no width of {name} gives {wanted_pp:g} pp on these prices; try another --rms or a longer file")
    if setting.fee_rate == 0:
        notes.append("without a fee there are no ratios of fees")
    if half is not None and threshold is not None:
        figures["fee_ratio_half"] = _ratio(half.fee_fitted_percent_year, threshold.fee_fitted_percent_year)
        at = run_policy(SellAll(threshold.width), series, targets, setting)
        sell_all = AtRms(threshold.width, at.rms_pp, at.fee_percent_year, at.fee_percent_year)
        figures["fee_ratio_sell_all"] = _ratio(half.fee_fitted_percent_year, at.fee_percent_year)
        if direct is not None:
            figures["fee_ratio_direct"] = _ratio(direct.fee_fitted_percent_year, threshold.fee_fitted_percent_year)
    for nav in SMALL_NAVS:
        small = run_policy(Bands(), series, targets, replace(setting, nav_quote=Decimal(nav)))
        figures[f"rms_pp_nav_{nav}"] = small.rms_pp
    policies = {"bands, half-way": half, "bands, direct": direct, "threshold": threshold, "sell_all": sell_all}
    return Row(figures, notes, policies)


def _bands_at(
    series: Series, targets: Targets, setting: BacktestSetting, wanted_pp: float, route: Route
) -> AtRms | None:
    routed = replace(targets, orders=replace(targets.orders, route=route))
    return at_rms(lambda factor: _banded(series, routed, setting, factor), wanted_pp, start=1.0)


def _banded(series: Series, targets: Targets, setting: BacktestSetting, factor: float) -> Result:
    return run_policy(Bands(), series, replace(targets, bands=scaled(targets.bands, factor)), setting)


def _routed(series: Series, targets: Targets, setting: BacktestSetting) -> bool:
    """Return whether any order goes over a pair of two coins where direct routes are allowed."""
    routed = replace(targets, orders=replace(targets.orders, route=Route.DIRECT))
    return any(trade.quote != targets.quote for trade in run_policy(Bands(), series, routed, setting).trades)


def _ratio(fee: float, of: float) -> float | None:
    return fee / of if of > 0 else None
