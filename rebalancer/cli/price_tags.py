"""Where price tags come from: the last back-test of the same policy, which is kept, or else the bundled table."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rebalancer.core.targets import Targets
from rebalancer.report.price_tag import PriceTag, bundled_tag, policy_digest

if TYPE_CHECKING:
    from rebalancer.service.cycle import Decided
    from rebalancer.settings import Settings

VERSION = 1
KEPT_MAX = 50  # back-tests of different policies
FILE_MODE = 0o640


def file_of(settings: Settings) -> Path:
    """Return where the results of back-tests are kept; those of made-up prices apart from the others."""
    return settings.paths.state / "backtests" / f"{settings.public_kind}.json"


def tag_of(settings: Settings, targets: Targets, decided: Decided) -> PriceTag | None:
    """Return what this policy may be expected to cost; None where the plan was refused, or the fees are not known."""
    plan, fees = decided.plan, decided.snapshot.fees
    if plan.refused or not plan.assets or not fees:
        return None
    fee_rate = max(fee.taker_fee_rate for fee in fees.values())
    kept = _kept(file_of(settings)).get(policy_digest(targets, fee_rate))
    if kept is not None:
        with suppress(KeyError, TypeError, ValueError):  # an entry of another hand: the bundled table serves
            return _tag_of_entry(kept)
    lines = sorted(plan.assets, key=lambda line: line.asset == plan.quote)
    return bundled_tag(
        [float(line.target) for line in lines],
        [float(line.band_high - line.target) for line in lines],
        float(fee_rate),
        float(targets.bands.destination),
    )


def _tag_of_entry(entry: dict[str, Any]) -> PriceTag:
    made, days = datetime.fromisoformat(entry["made_at"]), int(entry["days"])
    source = f"estimate, back-test of {made:%Y-%m-%d} over {days:,} days"
    return PriceTag(float(entry["cost_bps_year"]), float(entry["stray_pp"]), source)


def _kept(path: Path) -> dict[str, Any]:
    """Return the kept results by digest; a missing, foreign or damaged file holds none."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    if not isinstance(document, dict) or document.get("version") != VERSION:
        return {}
    results = document.get("results")
    return results if isinstance(results, dict) else {}


def keep_result(
    settings: Settings, targets: Targets, fee_rate: Decimal, *, cost_bps_year: float, stray_pp: float,
    times: Sequence[datetime], made_at: datetime,
) -> None:  # fmt: skip
    """Keep what a back-test of these targets found, the newest results of different policies beside it."""
    from rebalancer.durable import write_durably  # noqa: PLC0415

    path = file_of(settings)
    path.parent.mkdir(parents=True, exist_ok=True)
    entry = {
        "made_at": made_at.isoformat(timespec="seconds"),
        "days": (times[-1] - times[0]).days,
        "cost_bps_year": cost_bps_year,
        "stray_pp": stray_pp,
    }
    key = policy_digest(targets, fee_rate)
    older = [(digest, kept) for digest, kept in _kept(path).items() if digest != key]
    results = dict([*older[-(KEPT_MAX - 1) :], (key, entry)])
    write_durably(path, (json.dumps({"version": VERSION, "results": results}, indent=1) + "\n").encode(), FILE_MODE)
