"""`rebalancer check`: the doctor. Looks at everything that a live run will need, and says what to do."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

import click

from rebalancer.cli.context import LIVE, Connection, connect, load_checked_targets, load_settings
from rebalancer.cli.exits import Exit, advice_for, exit_of
from rebalancer.cli.local_disk import free_bytes, require_local_disk
from rebalancer.cli.progress import progress_bar
from rebalancer.cli.terminal import echo_document, heading, lines_of
from rebalancer.core.targets import Targets
from rebalancer.errors import RebalancerError
from rebalancer.service.clock import SystemClock

if TYPE_CHECKING:
    from rebalancer.journal.store import Journal
    from rebalancer.settings import Settings


class Grade(StrEnum):
    """How a check ended."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the doctor's report."""

    grade: Grade
    topic: str
    text: str
    exit: int = 0


@click.command()
@click.option("--deep", is_flag=True, help="Verify all of the journal, not only from its last checkpoint on.")
@click.option("--alerts", is_flag=True, help="Send a test notice and a ping to the channels of the settings.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
def command(*, deep: bool, alerts: bool, as_json: bool) -> int:
    """Check settings, clock, exchange, key rights, symbols, account and journal."""
    settings = load_settings()
    findings = list(_examine(settings, deep=deep, alerts=alerts))
    if as_json:
        document = {
            "schema": "rebalancer.check/1",
            "mode": settings.mode,
            "venue": settings.venue_kind,
            "findings": [asdict(finding) for finding in findings],
        }
        echo_document(document)
    else:
        click.echo(heading(settings.mode, settings.venue_kind))
        for finding in findings:
            mark = {Grade.OK: "ok  ", Grade.WARN: "WARN", Grade.FAIL: "FAIL"}[finding.grade]
            click.echo("\n".join(lines_of(finding.text, first=f"{mark}  {finding.topic:<9} ", later=" " * 16)))
    return next((finding.exit for finding in findings if finding.exit), Exit.DONE)


def _examine(settings: Settings, *, deep: bool, alerts: bool) -> Iterator[Finding]:
    """Yield findings in the order in which one needs the other; a failure ends what depends on it."""
    targets: list[Targets] = []
    yield from offline_findings(settings, targets, deep=deep)
    if targets:
        yield from _guarded("exchange", lambda: _exchange(settings, targets[0]))
    yield from _guarded("alerts", lambda: _alerts(settings, send=alerts))


def offline_findings(settings: Settings, found: list[Targets], *, deep: bool) -> Iterator[Finding]:
    """Yield what can be seen without asking the exchange; good targets are added to `found`."""
    yield from _environment(settings)
    yield from _guarded("targets", lambda: _targets(settings, found))
    yield from _guarded("journal", lambda: _journal(settings, deep=deep))


def _guarded(topic: str, examine: Callable[[], Iterator[Finding]]) -> Iterator[Finding]:
    try:
        yield from examine()
    except RebalancerError as exc:
        advice = advice_for(exc)
        yield Finding(Grade.FAIL, topic, "\n-> ".join(filter(None, (str(exc), advice))), exit_of(exc))


def _environment(settings: Settings) -> Iterator[Finding]:
    from rebalancer.settings import exposed_secrets, unknown_names  # noqa: PLC0415

    for text in (*unknown_names(os.environ), *exposed_secrets(os.environ)):
        yield Finding(Grade.WARN, "settings", text)
    if settings.venue_kind == "embedded":
        why = "REBALANCER_VENUE=embedded" if settings.venue else "no key is set"
        yield Finding(Grade.WARN, "settings", f"{why}: runs use the embedded exchange, not HTX")
    live = "`run --live` and `serve --live` trade" if settings.mode == LIVE else "nothing can be sent"
    yield Finding(Grade.OK, "settings", f"REBALANCER_MODE={settings.mode}: {live}")


def _targets(settings: Settings, found: list[Targets]) -> Iterator[Finding]:
    targets = load_checked_targets(settings.paths.targets, live=settings.mode == LIVE)
    found.append(targets)
    yield Finding(Grade.OK, "targets", f"{settings.paths.targets}: {len(targets.assets)} assets, sum 100")


def _journal(settings: Settings, *, deep: bool) -> Iterator[Finding]:
    from rebalancer.journal.store import Journal  # noqa: PLC0415

    yield from _disk(settings)
    path = settings.paths.journal(settings.venue_kind)
    if not path.exists():
        yield Finding(Grade.OK, "journal", "none yet; the first run makes it")
        return
    with Journal.open_to_read(path, SystemClock()) as journal:
        if deep:
            with progress_bar("verifying each row", journal.last_seq) as progress:
                journal.verify(progress)
        yield Finding(Grade.OK, "journal", f"{path}: {journal.last_seq} rows, {_verified(journal, deep=deep)}")
        for halt in journal.state.halts.values():
            yield Finding(Grade.FAIL, "journal", f"halted: {halt.text} (`rebalancer ack {halt.seq}`)", Exit.REFUSED)
        for record in journal.state.unresolved:
            text = f"{record.side} {record.symbol} is {record.state}"
            yield Finding(Grade.FAIL, "journal", text, Exit.OUTCOME_UNKNOWN)


def _disk(settings: Settings) -> Iterator[Finding]:
    from rebalancer.service.gate import FREE_BYTES_MIN  # noqa: PLC0415

    state = settings.paths.state
    require_local_disk(state)
    free = free_bytes(next(folder for folder in (state, *state.absolute().parents) if folder.exists()))
    if free is not None and free < FREE_BYTES_MIN:
        text = f"{state}: {free / 1e6:.0f} MB left, live runs need {FREE_BYTES_MIN / 1e6:.0f}: make room"
        yield Finding(Grade.FAIL, "disk", text, Exit.REFUSED)


def _alerts(settings: Settings, *, send: bool) -> Iterator[Finding]:
    from rebalancer.cli.alerting import make_courier  # noqa: PLC0415

    channels = len(settings.channels()) + bool(settings.ping_address())
    if not channels:
        yield Finding(Grade.OK, "alerts", "nobody is told: REBALANCER_NOTIFY_URLS and REBALANCER_PING_URL are not set")
        return
    lost: list[str] = []
    courier = make_courier(settings, lost.append)
    if send:
        from rebalancer.alerts.condition import Message  # noqa: PLC0415

        courier.tell(Message("a test", "This is what a notice looks like. Nothing happened."))
        courier.ping("")
    courier.close()
    for text in lost:
        yield Finding(Grade.FAIL, "alerts", text, Exit.CONFIG)
    if not lost:
        text = "taken by all: look whether they arrived" if send else "`check --alerts` tries them"
        yield Finding(Grade.OK, "alerts", f"{channels} channel(s), {text}")


def _verified(journal: Journal, *, deep: bool) -> str:
    """Return how far back the journal was looked at: to its beginning when asked, or when it has no checkpoint."""
    if deep or not journal.checkpoint_seq:
        return "every row and checkpoint verified"
    return f"verified from the checkpoint at row {journal.checkpoint_seq} on (`check --deep` verifies all)"


def _exchange(settings: Settings, targets: Targets) -> Iterator[Finding]:
    kind = settings.venue_kind
    with connect(settings, kind, clock=SystemClock(settings.clock_rate), codes=targets.codes, keep=False) as connection:
        yield from _clock(connection)
        yield from _market(connection)
        yield from _account(settings, connection)
        yield from _key(connection, live=settings.mode == LIVE)
        yield from _symbols(connection, targets)


def _clock(connection: Connection) -> Iterator[Finding]:
    from rebalancer.service.gate import SKEW_MAX_S, SKEW_WARN_S  # noqa: PLC0415

    connection.venue.fetch_server_time()
    skew_s = connection.venue.skew_s
    text = f"{round(skew_s, 2) + 0.0:+.2f} s from the exchange's"  # the sum turns -0.0 into 0.0
    if abs(skew_s) > SKEW_MAX_S:
        yield Finding(Grade.FAIL, "clock", f"{text}: set it (NTP)", Exit.UNREACHABLE)
    else:
        yield Finding(Grade.WARN if abs(skew_s) > SKEW_WARN_S else Grade.OK, "clock", text)


def _market(connection: Connection) -> Iterator[Finding]:
    status = connection.venue.fetch_market_status()
    name = connection.venue.host if connection.embedded is None else "the embedded exchange"
    if status.state == 1:
        yield Finding(Grade.OK, "exchange", f"{name} trades normally")
    else:
        word = status.state.name.lower().replace("_", "-")
        yield Finding(Grade.FAIL, "exchange", f"{name} is {word}: no order can be placed now", Exit.UNREACHABLE)


def _account(settings: Settings, connection: Connection) -> Iterator[Finding]:
    from rebalancer.service.observe import choose_account  # noqa: PLC0415

    pinned = settings.htx_account_id if connection.embedded is None else None
    account_id = choose_account(connection.venue.fetch_accounts(), pinned)
    named = bool(pinned or connection.embedded)
    hint = "" if named else f"; for live set REBALANCER_HTX_ACCOUNT_ID={account_id}"
    grade = Grade.OK if named or settings.mode != LIVE else Grade.WARN
    yield Finding(grade, "account", f"spot account {account_id}{hint}")


def _key(connection: Connection, *, live: bool) -> Iterator[Finding]:
    from rebalancer.cli.key_watch import ends_soon  # noqa: PLC0415

    if connection.embedded is not None:
        return  # its key is its own and opens nothing
    info = connection.venue.fetch_key_info()
    if info is None:
        yield Finding(Grade.WARN, "key", "rights not verifiable: HTX does not let this key ask (a sub-user's)")
        return
    if info.can_withdraw:
        yield Finding(Grade.FAIL, "key", "can withdraw: make one with read and trade only", Exit.CREDENTIALS)
    elif not info.can_trade and live:
        yield Finding(Grade.FAIL, "key", "cannot trade: give it the trade right at HTX", Exit.CREDENTIALS)
    elif not info.can_trade:
        yield Finding(Grade.WARN, "key", "cannot trade: enough for dry runs, not for live")
    else:
        yield Finding(Grade.OK, "key", "may read and trade, not withdraw")
    if not info.ip_addresses:
        yield Finding(Grade.WARN, "key", "is bound to no IP address: bind it at HTX; unbound keys expire")
    if text := ends_soon(info):
        yield Finding(Grade.WARN, "key", text)


def _symbols(connection: Connection, targets: Targets) -> Iterator[Finding]:
    """Check that each target can be traded; a target that HTX does not list is a mistake in the file."""
    rules = connection.venue.fetch_rules()
    good = []
    for asset in targets.assets:
        if asset == targets.quote:
            continue
        symbol = connection.venue.symbol_of(asset, targets.quote)
        found = rules.get(symbol)
        if found is None:
            text = f"{asset}: HTX lists no {symbol}; take it out, or map its code in [codes]"
            yield Finding(Grade.FAIL, "symbols", text, Exit.CONFIG)
        elif found.leveraged:
            yield Finding(Grade.FAIL, "symbols", f"{asset} is a leveraged token; these are refused", Exit.CONFIG)
        elif not found.tradable:
            yield Finding(Grade.WARN, "symbols", f"{symbol} takes no orders now")
        else:
            good.append(asset)
    yield Finding(Grade.OK if good else Grade.WARN, "symbols", f"{len(good)} tradable: {', '.join(good)}")
