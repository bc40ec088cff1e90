"""`rebalancer init`: the first steps. Asks what is needed, tries the key as it goes, writes what it was told to."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

import click

from rebalancer.cli.context import connect, load_settings, note
from rebalancer.cli.exits import Exit
from rebalancer.cli.terminal import heading, lines_of
from rebalancer.core.money import ZERO, plain
from rebalancer.core.proposal import propose_weights, round_limit
from rebalancer.errors import AuthCause, AuthFailed, ConfigError
from rebalancer.service.clock import SystemClock

if TYPE_CHECKING:
    from rebalancer.cli.context import Connection
    from rebalancer.settings import Settings

PRIVATE, PUBLIC = 0o600, 0o644
ORDER_SHARE, DAY_SHARE = Decimal("0.1"), Decimal("0.25")  # of the account's worth, for the two absolute limits
CREDENTIAL_NAMES = ("rebalancer_htx_access_key", "rebalancer_htx_secret_key")


@dataclass(frozen=True, slots=True)
class Found:
    """What an account holds, and its number."""

    account_id: str
    values_quote: Mapping[str, Decimal]

    @property
    def worth_quote(self) -> Decimal:
        """Return the sum."""
        return sum(self.values_quote.values(), ZERO)


@click.command(epilog="\b\nExamples:\n  rebalancer init\n  rebalancer init --folder /srv/portfolio")
@click.option("--folder", type=click.Path(path_type=Path, file_okay=False), help="Where to write; default ~/.config.")
@click.option("--quote", default="USDT", show_default=True, help="The cash coin.")
def command(*, folder: Path | None, quote: str) -> int:
    """Set up: asks for the key, tries it, proposes targets from what is held, writes the files.

    Nothing is traded and nothing existing is replaced without asking; the key is never shown.
    """
    from platformdirs import user_config_path  # noqa: PLC0415  # after the help

    settings = load_settings()
    place = (folder or user_config_path("rebalancer")).absolute()
    click.echo(heading("setup", settings.public_kind))
    _tell(f"Files go to {place}. Nothing here can trade: every run stays dry until you arm it.")
    if not click.confirm("Do you have an API key of HTX (read and trade, no withdraw)?", default=False):
        _without_key(place)
        return Exit.DONE
    pair = _ask_key()
    found = _tried(settings, pair, quote.upper())
    _write_targets(place, _proposed_text(*_proposed(found, quote.upper())))
    _write_key(place, pair)
    _write_environment(place, settings, found.account_id)
    _say_next(place, has_key=True)
    return Exit.DONE


def _tell(text: str) -> None:
    click.echo("\n".join(lines_of(text)))


def _without_key(place: Path) -> None:
    from rebalancer.targets.new import shipped_text  # noqa: PLC0415

    _tell("Then everything but `prices` is about the embedded exchange and its example account.")
    _write_targets(place, shipped_text())
    _write(place / "rebalancer.env", f"REBALANCER_TARGETS={_quoted(place / 'targets.toml')}\n", PRIVATE)
    _say_next(place, has_key=False)


def _ask_key() -> tuple[str, str]:
    """Return both halves as typed, unseen."""
    from rebalancer.logs import register_secrets  # noqa: PLC0415

    access = click.prompt("Access key (not shown)", hide_input=True).strip()
    secret = click.prompt("Secret key (not shown)", hide_input=True).strip()
    register_secrets((access, secret))
    return access, secret


def _tried(settings: Settings, pair: tuple[str, str], quote: str) -> Found:
    """Use the key for reads only; return what its spot account holds. AuthFailed when the exchange does not take it."""
    from rebalancer.settings import Settings  # noqa: PLC0415

    given = Settings(
        venue="htx",
        htx_url=settings.htx_url,
        htx_access_key=pair[0],  # type: ignore[arg-type]  # pydantic makes the secret of the text
        htx_secret_key=pair[1],  # type: ignore[arg-type]
    )
    note("trying the key ...")
    with connect(given, given.public_kind, clock=SystemClock(), codes={}) as connection:
        connection.venue.fetch_server_time()
        _require_rights(connection)
        return _holdings(connection, settings.htx_account_id, quote)


def _require_rights(connection: Connection) -> None:
    info = connection.venue.fetch_key_info()
    if info is None:
        _tell("! HTX does not let this key tell its rights (a sub-user's): see for yourself that it cannot withdraw.")
        return
    if info.can_withdraw:
        raise AuthFailed(AuthCause.PERMISSION, "withdraw-right", "this key can withdraw; nothing was written")
    _tell(f"ok: the key may read{' and trade' if info.can_trade else ', not trade: enough for dry runs'}")
    if not info.ip_addresses:
        _tell("! it is bound to no IP address: bind it at HTX, unbound keys expire")


def _holdings(connection: Connection, pinned: str | None, quote: str) -> Found:
    from rebalancer.service.observe import choose_account  # noqa: PLC0415

    venue = connection.venue
    account_id = choose_account(venue.fetch_accounts(), pinned)
    rules, tickers = venue.fetch_rules(), venue.fetch_tickers()
    values: dict[str, Decimal] = {}
    for asset, held in venue.fetch_balances(account_id).items():
        symbol = venue.symbol_of(asset, quote)
        listed = symbol in rules and rules[symbol].tradable and not rules[symbol].leveraged and symbol in tickers
        if asset == quote:
            values[asset] = held.total
        elif held.total and listed:
            values[asset] = held.total * tickers[symbol].last
    found = Found(account_id, values)
    _tell(f"ok: spot account {account_id}, worth about {found.worth_quote:,.2f} {quote}")
    return found


def _proposed(found: Found, quote: str) -> tuple[Mapping[str, Decimal], Mapping[str, Decimal]]:
    """Return weights and limits for what is held."""
    weights = propose_weights(found.values_quote, quote)
    if not weights:
        raise ConfigError(
            f"account {found.account_id} holds no coin that trades against {quote}, so there is nothing to propose: "
            "move coins there, or run `rebalancer init` without the key and edit the example"
        )
    click.echo("What is held now, in whole percent; change it later as you like:")
    for asset, percent in weights.items():
        click.echo(f"  {asset:<8}{plain(percent):>4} %{'  cash' if asset == quote else ''}")
    limits = {
        "max_order_notional": round_limit(found.worth_quote * ORDER_SHARE),
        "max_notional_per_day": round_limit(found.worth_quote * DAY_SHARE),
    }
    _tell(f"Limits: {limits['max_order_notional']:,f} {quote} an order, {limits['max_notional_per_day']:,f} a day.")
    return weights, limits


def _proposed_text(weights: Mapping[str, Decimal], limits: Mapping[str, Decimal]) -> str:
    from rebalancer.targets.file import parse_targets  # noqa: PLC0415
    from rebalancer.targets.new import new_text  # noqa: PLC0415

    text = new_text(weights, limits)
    parse_targets(text, "the proposal")
    return text


def _write_targets(place: Path, text: str) -> None:
    """Write the targets, and beside them the schema by which an editor completes and checks them."""
    from rebalancer.targets.schema import FILE_NAME, schema_text  # noqa: PLC0415

    _write(place / "targets.toml", text, PUBLIC)
    _write(place / FILE_NAME, schema_text(), PUBLIC)


def _write_key(place: Path, pair: tuple[str, str]) -> None:
    folder = place / "credentials"
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    for name, half in zip(CREDENTIAL_NAMES, pair, strict=True):
        _write(folder / name, half + "\n", PRIVATE)


def _write_environment(place: Path, settings: Settings, account_id: str) -> None:
    lines = [
        "# Where and who; no secret. Use it with: set -a; . ./rebalancer.env; set +a",
        f"CREDENTIALS_DIRECTORY={_quoted(place / 'credentials')}",
        f"REBALANCER_TARGETS={_quoted(place / 'targets.toml')}",
        "REBALANCER_VENUE=htx",
        f"REBALANCER_HTX_URL={settings.htx_url}",
        f"REBALANCER_HTX_ACCOUNT_ID={account_id}",
        "# Live trading needs this line and --live on the command:",
        "# REBALANCER_MODE=live",
    ]
    _write(place / "rebalancer.env", "\n".join(lines) + "\n", PRIVATE)


def _quoted(path: Path) -> str:
    """Return a path as a shell reads it, blanks and all."""
    return shlex.quote(str(path))


def _write(path: Path, text: str, mode: int) -> None:
    """Write a file whole; one that is there is replaced only when told to."""
    from rebalancer.durable import write_durably  # noqa: PLC0415

    try:
        same = path.exists() and path.read_bytes() == text.encode()
        if same or (path.exists() and not click.confirm(f"{path} is there already. Replace it?", default=False)):
            click.echo(f"kept     {path}")
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        write_durably(path, text.encode(), mode)
    except OSError as exc:
        raise ConfigError(
            f"{path}: cannot be written: {os.strerror(exc.errno or 0)}; choose another --folder"
        ) from None
    click.echo(f"written  {path}")


def _say_next(place: Path, *, has_key: bool) -> None:
    _tell("Next:")
    click.echo(f"  set -a; . {_quoted(place / 'rebalancer.env')}; set +a")
    click.echo("  rebalancer check" + ("" if has_key else "     # says what a real account will need"))
    click.echo("  rebalancer plan      # the dry-run report")
