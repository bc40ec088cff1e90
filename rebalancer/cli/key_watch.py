"""The key while it is in use: what it may do, and how long it still lasts. Asked for at the start and once a day."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta

from rebalancer.alerts.condition import KEY_WARN_DAYS
from rebalancer.cli.context import Connection
from rebalancer.core.model import KeyInfo
from rebalancer.errors import AuthCause, AuthFailed, VenueError
from rebalancer.seams import Clock

ASK_EVERY = timedelta(hours=24)


def require_rights(info: KeyInfo | None) -> None:
    """Raise AuthFailed for a key that can withdraw, or that cannot trade; an unverifiable key is let through."""
    if info is None:
        return
    if info.can_withdraw:
        text = "this key can withdraw: it is refused; make one with read and trade only"
        raise AuthFailed(AuthCause.PERMISSION, "withdraw-right", text)
    if not info.can_trade:
        raise AuthFailed(AuthCause.PERMISSION, "no-trade-right", "this key cannot trade; give it the trade right")


def ends_soon(info: KeyInfo | None) -> str:
    """Return a sentence about a key that will not last three weeks, else nothing."""
    if info is None or info.days_valid is None or info.days_valid > max(KEY_WARN_DAYS):
        return ""
    return f"the key expires in {info.days_valid} day(s): make a new one at HTX in time"


class KeyWatch:
    """Asks about the key of a service once a day: the service runs longer than an unbound key lasts.

    `tell` is given the days that are left, or None where the key has no end or may not ask.
    """

    def __init__(
        self, connection: Connection, clock: Clock, *, live: bool, tell: Callable[[int | None, str], None]
    ) -> None:
        self._connection = connection
        self._clock = clock
        self._live = live
        self._tell = tell
        self._asked_at: datetime | None = None

    def look(self) -> None:
        """Ask if a day has passed; AuthFailed for a key that came to be able to withdraw, or lost its right to trade.

        A question that is not answered is asked again before the next cycle, which has its own words for what is wrong.
        """
        now = self._clock.now()
        if self._connection.embedded is not None or (
            self._asked_at is not None and abs(now - self._asked_at) < ASK_EVERY
        ):
            return
        info: KeyInfo | None = None
        with suppress(VenueError):
            info = self._connection.venue.fetch_key_info()
            self._tell(None if info is None else info.days_valid, ends_soon(info))
            self._asked_at = now
        try:
            if self._live:
                require_rights(info)
        except AuthFailed:
            self._asked_at = None  # and before each cycle, until it is mended
            raise
