"""What a dry run leaves in the journal: prices that were seen to pass, so that orders need not begin small."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal

from rebalancer.core.plan import Denial, Plan
from rebalancer.core.reasons import Deny, Trigger
from rebalancer.core.trust import CoinTrust
from rebalancer.journal import records
from rebalancer.journal.store import Journal

RUN = "rehearsal-1"


def rehearse(journal: Journal, prices: Mapping[str, Decimal], at: datetime) -> None:
    """Write down that a look at these prices, one a coin, found nothing to doubt in them."""
    refusal = (Denial(Deny.MARKET_HALTED, "a rehearsal"),)
    trust = {asset: CoinTrust(price, at) for asset, price in prices.items()}
    plan = Plan(at, "", "USDT", "", None, None, None, Trigger.NONE, (), (), (), refusal, None, trust=trust)
    journal.append(records.plan_made(RUN, plan, mode="dry-run", weights_digest="", complete=False, document={}))
