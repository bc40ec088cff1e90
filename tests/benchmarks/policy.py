"""What the planner's policy costs against its rivals at equal tracking error, how fast it is, and how peers compare.

python -m tests.benchmarks.policy [--prices FILE] [--targets "BTC=60,ETH=30,USDT=10"] [--fee 0.002] [--nav 10000]
    [--min-order 10] [--spread-bps 0] [--rms 4] [--markets] [--speed] [--peers]
    [--json]

FILE is any CSV of closes with a column `date` or `time_utc` and one column a coin; without it a series is generated.
The fee ratios are taken where every policy strays equally far (root mean square of the Euclidean distance of the
weights before trading); the yardstick is the threshold rule that trades every difference through the quote coin.
One history is one draw: --markets shows the same figures over parts of it, other portfolios and other seeds.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from decimal import Decimal
from pathlib import Path
from typing import Any

from rebalancer.backtest.series import Series
from rebalancer.backtest.setting import BacktestSetting
from rebalancer.core.money import parse_decimal
from rebalancer.core.targets import Targets
from rebalancer.errors import ConfigError
from tests.benchmarks.figures import Figure
from tests.benchmarks.policy_parts import markets, peers, ratios, speed
from tests.benchmarks.policy_parts.portfolios import GENERATED_DAYS, QUOTE, prices_and_targets


def options() -> argparse.Namespace:
    made = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    made.add_argument("--prices", type=Path, help="CSV of closes (default: a generated series)")
    made.add_argument("--targets", help="percent by coin, the quote coin included (default: eight coins and USDT)")
    made.add_argument("--quote", default=QUOTE, help="the quote coin of --targets")
    for name, default, unit in (
        ("--fee", "0.002", "fraction of each order"),
        ("--nav", "10000", "value of the account at the start, in quote"),
        ("--min-order", "10", "the exchange's minimum, in quote"),
        ("--spread-bps", "0", "bid to ask, in basis points of the mid"),
    ):
        made.add_argument(name, type=_decimal, default=Decimal(default), help=f"{unit} (default {default})")
    made.add_argument("--rms", type=float, default=4.0, help="rms drift at which fees are compared, in points")
    made.add_argument("--markets", action="store_true", help="show the figures' spread over many markets (minutes)")
    made.add_argument("--speed", action="store_true", help="measure speed and growth too")
    made.add_argument("--peers", action="store_true", help="compare with bt and cvxportfolio (extra `bench`)")
    made.add_argument("--json", action="store_true", help="one JSON document instead of tables")
    return made.parse_args()


def _decimal(text: str) -> Decimal:
    return parse_decimal(text)


def main() -> None:
    asked = options()
    try:
        series, targets = prices_and_targets(asked.prices, asked.targets, asked.quote)
        setting = BacktestSetting(asked.fee, asked.spread_bps, asked.nav, asked.min_order)
        document = measured(asked, series, targets, setting)
    except ConfigError as exc:
        sys.exit(f"policy benchmark: {exc}")
    print(json.dumps(document) if asked.json else "\n".join(tables(document)))
    sys.exit(0 if document["holds"] else 1)


def measured(asked: argparse.Namespace, series: Series, targets: Targets, setting: BacktestSetting) -> dict[str, Any]:
    """Return everything asked for as one document; the figures with caps and guards off stand at its top."""
    off, on = (
        ratios.measure(
            series,
            targets,
            BacktestSetting(setting.fee_rate, setting.spread_bps, setting.nav_quote, setting.min_order_quote, on, on),
            asked.rms,
        )
        for on in (False, True)
    )
    holds = all(value is not None and value <= ratios.LIMITS[name] for name, value in off.figures.items())
    document: dict[str, Any] = {
        **off.figures,
        "limits": ratios.LIMITS,
        "with_caps_and_guards": on.figures,
        "notes": sorted({*off.notes, *on.notes}),
        "policies": {"off": _shown(off), "on": _shown(on)},
        "case": {
            "prices": str(asked.prices or "generated"),
            "closes": len(series),
            "from": series.times[0].isoformat(),
            "to": series.times[-1].isoformat(),
            "targets": {asset: str(weight) for asset, weight in targets.weights.items()},
            "fee_rate": str(setting.fee_rate),
            "spread_bps": str(setting.spread_bps),
            "nav_quote": str(setting.nav_quote),
            "min_order_quote": str(setting.min_order_quote),
            "rms_pp": asked.rms,
        },
    }
    if asked.markets:
        found = (
            markets.of_seeds(GENERATED_DAYS, targets, setting.nav_quote)
            if asked.prices is None
            else markets.of_file(series, targets, setting.nav_quote)
        )
        rows = markets.table_of(found, setting, asked.rms, progress=_say_market)
        document["markets"] = {"rows": rows, "spread": markets.spread_of(rows)}
    if asked.speed:
        figures, growth = speed.measure()
        document["speed"] = [asdict(figure) | {"holds": figure.holds} for figure in figures]
        document["growth"] = growth
        holds = holds and all(figure.holds for figure in figures)
    if asked.peers:
        document["peers"] = peers.compare(series, targets, setting)
    return document | {"holds": holds}


def _say_market(name: str) -> None:
    print(f"policy benchmark: {name}", file=sys.stderr)


def _shown(row: ratios.Row) -> dict[str, Any]:
    return {name: None if found is None else asdict(found) for name, found in row.policies.items()}


def tables(document: dict[str, Any]) -> list[str]:
    """Return the document as lines for a reader."""
    case = document["case"]
    weights = ", ".join(f"{asset} {weight}" for asset, weight in case["targets"].items())
    lines = [
        f"prices {case['prices']}: {case['closes']} closes, {case['from']} to {case['to']}",
        f"targets in percent: {weights}",
        ", ".join(f"{name} {case[name]}" for name in ("fee_rate", "spread_bps", "nav_quote", "min_order_quote")),
        f"fees are compared where every policy has an rms drift of {case['rms_pp']:g} pp",
        "",
        f"{'figure':<22}{'wanted':>10}{'off':>10}{'on':>10}   (caps and price guards off, on)",
    ]
    for name, limit in document["limits"].items():
        off, on = document[name], document["with_caps_and_guards"][name]
        verdict = "not measured" if off is None else "ok" if off <= limit else "OVER"
        lines.append(f"{name:<22}{'<= ' + format(limit, '.4g'):>10}{_number(off):>10}{_number(on):>10}   {verdict}")
    lines += [f"note: {note}" for note in document["notes"]]
    for which, policies in document["policies"].items():
        lines += ["", f"{'caps and guards ' + which:<22}{'width':>10}{'rms pp':>10}{'fee %/yr':>10}{'fitted':>10}"]
        for name, found in policies.items():
            keys = ("width", "rms_pp", "fee_percent_year", "fee_fitted_percent_year")
            lines.append(f"{name:<22}" + "".join(f"{_number(found and found[key]):>10}" for key in keys))
    lines.append("width: factor of the bands, or trigger in points; fitted: the fee at exactly the rms drift wanted")
    if "markets" in document:
        lines += ["", *markets.lines(document["markets"]["rows"], document["markets"]["spread"])]
    if "speed" in document:
        lines += ["", *speed.table([Figure(**_without_holds(row)) for row in document["speed"]], document["growth"])]
    if "peers" in document:
        lines += ["", *peers.table(document["peers"])]
    return lines


def _without_holds(row: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in row.items() if key != "holds"}


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"


if __name__ == "__main__":
    main()
