"""`rebalancer exchange`: the simulated HTX on loopback."""

from __future__ import annotations

import ipaddress
import os
import signal
import sys
import textwrap
from decimal import Decimal
from pathlib import Path

import click

from rebalancer.cli.embedded import ACCESS_KEY, SECRET_KEY, load_exchange, save_exchange
from rebalancer.core.money import parse_decimal
from rebalancer.service.clock import SystemClock
from rebalancer.simulator.exchange import Exchange
from rebalancer.simulator.faults import FAULT_KINDS, Faults, FaultSpecError
from rebalancer.simulator.market import Market
from rebalancer.simulator.replay import PriceFileError, Replay, read_closes
from rebalancer.simulator.server import Server, listen

DEFAULT_BALANCES = "BTC=0.5,ETH=5,USDT=10000"
EXAMPLES = (
    "\b\nExamples:\n  rebalancer exchange --port 8900 --state exchange.json\n"
    "  rebalancer exchange --balances BTC=0.1,USDT=5000 --faults lost_reply=0.1\n\n"
)
EPILOG = (
    EXAMPLES
    + "\b\nFaults (kind[@endpoint][=probability][xCOUNT], comma list):\n"
    + "\n".join(
        textwrap.fill(text, 76, initial_indent=f"  {kind:<22}", subsequent_indent=" " * 24)  # click indents by 4 more
        for kind, text in FAULT_KINDS.items()
    )
)


def _balances(_ctx: click.Context, _param: click.Parameter, text: str) -> dict[str, Decimal]:
    """Return amounts by asset of `BTC=0.5,USDT=1000`."""
    made: dict[str, Decimal] = {}
    for part in text.split(","):
        asset, _, figure = part.strip().partition("=")
        try:
            amount = parse_decimal(figure)
        except ValueError:
            raise click.BadParameter(f"{part!r} is not ASSET=AMOUNT; write for example BTC=0.5,USDT=1000") from None
        if not asset.isalnum() or amount < 0 or asset.upper() in made:
            raise click.BadParameter(f"{part!r}: each asset once, with an amount of zero or more")
        made[asset.upper()] = amount
    return made


def _fault_spec(_ctx: click.Context, _param: click.Parameter, text: str) -> str:
    """Check a fault specification and return it."""
    try:
        Faults.parse(text)
    except FaultSpecError as exc:
        raise click.BadParameter(str(exc)) from None
    return text


def _loopback(_ctx: click.Context, _param: click.Parameter, host: str) -> str:
    address = "127.0.0.1" if host == "localhost" else host
    try:
        inside = ipaddress.ip_address(address).is_loopback
    except ValueError:
        inside = False
    if not inside:
        raise click.BadParameter(f"{host} is not a loopback address; this exchange serves 127.0.0.1 or ::1 only")
    return address


@click.command(epilog=EPILOG)
@click.option("--host", default="127.0.0.1", show_default=True, callback=_loopback, help="Loopback address.")
@click.option("--port", default=0, type=click.IntRange(0, 65535), show_default=True, help="0 picks a free one.")
@click.option("--seed", default=1, show_default=True, help="Of prices, books and faults.")
@click.option("--access-key", default=ACCESS_KEY, show_default=True, help="The key to accept; it guards nothing.")
@click.option("--secret-key", default=SECRET_KEY, show_default=True, help="Its secret; it guards nothing.")
@click.option(
    "--balances",
    callback=_balances,
    metavar="ASSET=AMOUNT,...",
    default=DEFAULT_BALANCES,
    show_default=True,
    help="What the account holds.",
)
@click.option("--prices", type=click.Path(path_type=Path, dir_okay=False), help="CSV of closes to replay; else a walk.")
@click.option("--speed", default=1.0, type=click.FloatRange(0, min_open=True), show_default=True,
              help="Market seconds a wall second; protocol time stays wall time.")  # fmt: skip
@click.option("--clock-rate", default=1.0, type=click.FloatRange(0, min_open=True), show_default=True,
              help="Speeds the protocol clock too; the client needs the same REBALANCER_CLOCK_RATE.")  # fmt: skip
@click.option("--latency-ms", default=0.0, type=click.FloatRange(0), show_default=True, help="Before each answer.")
@click.option("--faults", callback=_fault_spec, metavar="SPEC", default="", help="Faults to inject; the list is below.")
@click.option("--state", type=click.Path(path_type=Path, dir_okay=False), help="File that keeps accounts and orders.")
def command(
    host: str,
    port: int,
    seed: int,
    access_key: str,
    secret_key: str,
    balances: dict[str, Decimal],
    prices: Path | None,
    speed: float,
    clock_rate: float,
    latency_ms: float,
    faults: str,
    state: Path | None,
) -> None:
    """Serve a simulated HTX on loopback, for this or any other HTX client, until stopped.

    Prints one line when ready: `listening on http://HOST:PORT`.
    """
    clock = SystemClock(clock_rate)
    replay = None if prices is None else _replay(prices)
    now_ms = int(clock.now().timestamp() * 1000)
    if state is not None and state.exists():
        market = None if replay is None else Market(seed=seed, anchor_ms=now_ms, speed=speed, replay=replay)
        exchange = load_exchange(state, market)
        exchange.market.speed = speed
    else:
        exchange = Exchange(Market(seed=seed, anchor_ms=now_ms, speed=speed, replay=replay))
        exchange.add_user(access_key, secret_key, balances)
    exchange.faults = Faults.parse(faults, seed)
    try:
        listener = listen(host, port)
    except OSError as exc:
        raise click.ClickException(
            # The library's own text repeats the address.
            f"cannot listen on {host}:{port}: {os.strerror(exc.errno or 0)}; --port 0 picks a free one"
        ) from None

    def save() -> None:
        if state is not None:
            save_exchange(state, exchange)

    server = Server(exchange, listener, clock, latency_s=latency_ms / 1000, after_change=save)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: server.stop())
    shown = f"[{server.address[0]}]" if ":" in host else server.address[0]
    click.echo(f"listening on http://{shown}:{server.address[1]}")
    sys.stdout.flush()
    server.serve()
    save()
    clock.stop()
    fired = ", ".join(f"{kind} {count}" for kind, count in sorted(exchange.faults.fired.items()))
    click.echo(f"stopped; {len(exchange.state.orders)} order(s){f'; faults: {fired}' if fired else ''}", err=True)


def _replay(path: Path) -> Replay:
    try:
        with path.open(encoding="utf-8", newline="") as lines:
            replay = read_closes(lines, str(path))
    except OSError as exc:
        raise click.BadParameter(f"{path} cannot be read: {exc.strerror}", param_hint="--prices") from None
    except UnicodeDecodeError:
        raise click.BadParameter(f"{path} is not text in UTF-8", param_hint="--prices") from None
    except PriceFileError as exc:
        raise click.BadParameter(str(exc), param_hint="--prices") from None
    if not replay.coins:
        raise click.BadParameter(f"{path}:2: no coin has a price on the first line", param_hint="--prices")
    return replay
