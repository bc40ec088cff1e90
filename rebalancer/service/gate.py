"""What must be true before a plan is made, and again before each order leaves."""

from __future__ import annotations

from rebalancer.core.model import MarketState, MarketStatus
from rebalancer.core.reasons import Deny
from rebalancer.errors import GuardTripped, Unavailable
from rebalancer.service.shell import Progress, Shell, Step

SKEW_WARN_S = 2.0
SKEW_MAX_S = 10.0
FREE_BYTES_MIN = 500_000_000  # what others fill a disk with comes in larger pieces than our rows


def require_no_stop(shell: Shell) -> None:
    """Raise GuardTripped when the owner paused, or a halt waits for an answer."""
    if shell.pause.active():
        reason = shell.pause.reason()
        raise GuardTripped(
            Deny.PAUSED, f"paused{f' ({reason})' if reason else ''}: nothing is sent; `rebalancer resume` lifts it"
        )
    for halt in shell.journal.state.halts.values():
        raise GuardTripped(
            Deny.HALTED, f"halted since {halt.since}: {halt.text}; look into it, then `rebalancer ack {halt.seq}`"
        )


def require_room(shell: Shell) -> None:
    """Raise GuardTripped when the journal's disk is nearly full: an order's outcome might find no room any more."""
    free = shell.free_bytes()
    if free is not None and free < FREE_BYTES_MIN:
        raise GuardTripped(
            Deny.DISK_LOW,
            f"the disk of the journal has {free / 1e6:.0f} MB left, {FREE_BYTES_MIN / 1e6:.0f} are needed: "
            "nothing is sent; make room",
        )


def require_sane_clock(shell: Shell, skew_s: float) -> None:
    """Raise Unavailable when our clock and the exchange's are too far apart to sign or to judge ages by."""
    if abs(skew_s) > SKEW_MAX_S:
        raise Unavailable(
            f"this machine's clock is {skew_s:+.1f} s from the exchange's, over {SKEW_MAX_S:g} s: set it (NTP)",
            code="clock-skew",
        )
    if abs(skew_s) > SKEW_WARN_S:
        shell.say(Progress(Step.WARNING, f"this machine's clock is {skew_s:+.1f} s from the exchange's; set it (NTP)"))


def require_open_market(market: MarketStatus) -> None:
    """Raise Unavailable when the whole exchange is halted; a halt of some symbols freezes their coins."""
    if market.state is not MarketState.NORMAL and market.affects_all:
        until = f" until {market.halt_end:%Y-%m-%d %H:%M} UTC" if market.halt_end else ""
        word = "halted" if market.state is MarketState.HALTED else "cancel-only"
        raise Unavailable(f"the exchange is {word}{until}: no order can be placed", code="market-halted")
