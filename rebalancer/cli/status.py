"""`rebalancer status`: what is. Takes no lock, asks nobody, writes nothing."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import click

from rebalancer.cli.context import LIVE, journal_to_read, load_settings
from rebalancer.cli.terminal import echo_document, heading, lines_of
from rebalancer.cli.waiting import waiting_document, waiting_texts
from rebalancer.core.canonical import moment_text
from rebalancer.core.money import plain
from rebalancer.service.clock import SystemClock
from rebalancer.service.pause import PauseSwitch

if TYPE_CHECKING:
    from rebalancer.core.ledger import Books
    from rebalancer.core.trust import CoinTrust
    from rebalancer.journal.store import Journal
    from rebalancer.settings import Settings


ROWLESS = "no_balance_row"


@click.command(epilog="\b\nExamples:\n  rebalancer status\n  rebalancer status --json")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
@click.option("--paths", is_flag=True, help="Only print where things lie.")
def command(*, as_json: bool, paths: bool) -> None:
    """Show mode, venue, last run, open questions, pause, and what waits: your answers, weights staged on the page."""
    settings = load_settings()
    if paths:
        _show_paths(settings, as_json=as_json)
        return
    clock = SystemClock(settings.clock_rate)
    with journal_to_read(settings.paths.journal(settings.venue_kind), clock) as journal:
        document = status_document(settings, journal, clock)
        books = journal.state.books
    if as_json:
        echo_document(document)
    else:
        click.echo(_text(document, books, has_key=settings.has_key), nl=False)


def _show_paths(settings: Settings, *, as_json: bool) -> None:
    paths = settings.paths
    where = {
        "state": str(paths.state),
        "targets": str(paths.targets),
        "journal": str(paths.journal(settings.venue_kind)),
        "lock": str(paths.lock),
        "pause": str(paths.pause),
    }
    if as_json:
        echo_document(where)
        return
    click.echo(heading(settings.mode, settings.venue_kind))
    for name, path in where.items():
        click.echo(f"{name:<8} {path}")


def status_document(settings: Settings, journal: Journal, clock: SystemClock) -> dict[str, Any]:
    """Return `rebalancer.status/1`."""
    from rebalancer.journal.queries import recent_runs  # noqa: PLC0415
    from rebalancer.report.books import books_document  # noqa: PLC0415

    switch, state = PauseSwitch(settings.paths.pause), journal.state
    runs = recent_runs(journal, 1)
    usage = state.usage(clock.now(), "")
    binding = state.binding
    return {
        "schema": "rebalancer.status/1",
        "mode": settings.mode,
        "venue": settings.venue_kind,
        "account_id": binding.account_id if binding else None,
        "quote": binding.quote if binding else None,
        "at": moment_text(clock.now()),
        "paused": switch.reason() or "yes" if switch.active() else None,
        "halts": [
            {"id": halt.seq, "code": halt.code, "text": halt.text, "since": halt.since}
            for halt in state.halts.values()
        ],
        "coins": [
            _coin(asset, coin) for asset, coin in state.coins.items() if coin.in_doubt
        ],
        "unresolved": [
            {"id": f"{r.run_id}/{r.intent_seq}", "symbol": r.symbol, "side": r.side.value, "state": r.state.value,
             "since": r.changed_at, "text": r.text}
            for r in state.unresolved
        ],
        "allowed": None
        if state.approval is None
        else {"up_to_quote": plain(state.approval.up_to_quote), "left_quote": plain(state.approval.left_quote)},
        "last_run": runs[0].document() if runs else None,
        "nav_quote": None if state.nav_validated_quote is None else plain(state.nav_validated_quote),
        "books": None if state.books is None else books_document(state.books),
        "last_24_h": {
            "orders": usage.orders,
            "notional_quote": plain(usage.notional_quote),
            "turnover_quote": plain(usage.turnover_quote),
        },
        **waiting_document(settings, clock.now()),
    }  # fmt: skip


def _coin(asset: str, coin: CoinTrust) -> dict[str, Any]:
    from rebalancer.report.words import in_doubt_text  # noqa: PLC0415

    price = None if coin.price is None else plain(coin.price)
    state, since, text = coin.state.value, coin.since, coin.why
    if coin.lacks_row:  # which stops the whole plan, so it is said first
        state, since, text = ROWLESS, coin.rowless_since, in_doubt_text(asset, coin)
    assert since is not None, asset
    return {"asset": asset, "state": state, "since": moment_text(since), "text": text, "price": price}


def _text(document: dict[str, Any], books: Books | None, *, has_key: bool) -> str:
    account = f"  account {document['account_id']}" if document["account_id"] else ""
    lines = [heading(document["mode"], document["venue"]) + account]
    for text in _open_questions(document):
        lines += lines_of(text, first="! ", later="  ")
    lines += _last_run(document)
    day, quote = document["last_24_h"], document["quote"] or ""
    traded = f", {Decimal(day['notional_quote']):,.2f} {quote}" if day["orders"] else ""
    lines.append(f"24 hours  {day['orders']} order(s){traded}")
    lines += _books(books, quote)
    if document["allowed"]:
        left, up_to = (f"{Decimal(document['allowed'][name]):,.2f}" for name in ("left_quote", "up_to_quote"))
        lines.append(f"allowed   {left} of {up_to} {quote} are left for the weights that you allowed")
    if not _open_questions(document):
        lines.append("open      nothing is open")
    lines += lines_of(_next(document, has_key=has_key), first="next      ", later=" " * 10)
    return "\n".join(lines) + "\n"


def _books(books: Books | None, quote: str) -> list[str]:
    from rebalancer.report.books import books_lines  # noqa: PLC0415

    lines: list[str] = []
    for text in books_lines(books, quote) if books else ():
        lines += lines_of(text, first=" " * 10 if lines else "books     ", later=" " * 10)
    return lines


def _open_questions(document: dict[str, Any]) -> list[str]:
    """Return what waits for somebody, each with what answers it."""
    lines = []
    if document["paused"]:
        lines.append(f"PAUSED: {document['paused']}; `rebalancer resume` lifts it")
    for halt in document["halts"]:
        lines.append(f"HALTED since {halt['since'][:16]}: {halt['text']}; then `rebalancer ack {halt['id']}`")
    for coin in document["coins"]:
        if coin["state"] == ROWLESS:
            lines.append(f"NO ROW since {coin['since'][:16]}: {coin['text']}")
            continue
        answer = "it trades again when its price passes"
        if coin["state"] == "frozen":
            answer = f"look into it, then `rebalancer ack {coin['asset']}`"
        said = f"{coin['state'].upper()} since {coin['since'][:16]}: {coin['asset']} does not trade"
        lines.append(f"{said}: {coin['text']}; {answer}")
    lines += waiting_texts(document)
    for order in document["unresolved"]:
        waits = order["state"] == "quarantined"
        answer = f"look at HTX, then `rebalancer ack {order['id']} --outcome ...`" if waits else "asked about again"
        said = f"; {order['text']}" if order["text"] else ""
        lines.append(f"{order['state'].upper()}: {order['side']} {order['symbol']} ({order['id']}){said}; {answer}")
    return lines


def _last_run(document: dict[str, Any]) -> list[str]:
    run = document["last_run"]
    if run is None:
        return ["last run  no run yet"]
    at, ended = run["started_at"][:16].replace("T", " "), run["status"].replace("_", " ")
    lines = [f"last run  {at} UTC, {run['mode']}: {ended}, {len(run['orders'])} order(s)", f"          {run['run_id']}"]
    if run["text"]:
        lines += lines_of(run["text"], first=" " * 10, later=" " * 10)
    if run["nav_quote"]:
        lines.append(f"worth     {Decimal(run['nav_quote']):,.2f} {document['quote'] or ''}".rstrip())
    return lines


def _next(document: dict[str, Any], *, has_key: bool) -> str:
    """Return what the owner may want to do now."""
    if document["paused"] or document["halts"]:
        return "nothing is sent until what is marked ! is answered"
    if document["unresolved"]:
        return "nothing is planned live until what is marked ! is known"
    if document["venue"] == "embedded" and not has_key:
        look = "`rebalancer plan` shows what a cycle would do" + (
            "" if document["last_run"] else ", `rebalancer run` makes the first"
        )
        return (
            f"this is the simulated exchange with its example account: {look}. For your own account put its key in "
            "place (README.md, Going live), then `rebalancer check`"
        )
    if document["mode"] == LIVE and not has_key and document["venue"] != "embedded":
        return "no key is set, so nothing can run: README.md, Going live; then `rebalancer check`"
    if document["last_run"] is None:
        return "`rebalancer check`, then `rebalancer plan`; `rebalancer run` makes the first cycle"
    if document["mode"] != LIVE:
        return "a dry run sends nothing; trading needs REBALANCER_MODE=live and --live"
    return "`rebalancer plan` shows what the next cycle would do"
