"""The composition root: settings, venue, journal and clock become the parts that a verb works with."""

from __future__ import annotations

import getpass
import os
import random
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rebalancer.core.targets import Targets
from rebalancer.errors import AuthCause, AuthFailed, ConfigError
from rebalancer.service.clock import SystemClock
from rebalancer.service.gather import ThreadGather

if TYPE_CHECKING:  # these import httpx, pydantic, numpy and sqlite3; a verb pays for what it uses
    from rebalancer.cli.embedded import Embedded
    from rebalancer.journal.store import Journal
    from rebalancer.service.shell import Progress, Shell
    from rebalancer.settings import Settings
    from rebalancer.venues.htx.client import HtxVenue

DRY_RUN, LIVE = "dry-run", "live"


@dataclass(frozen=True)
class Connection:
    """A venue ready for calls."""

    venue: HtxVenue
    kind: str  # embedded | loopback | htx
    gather: ThreadGather
    embedded: Embedded | None = None


def load_settings() -> Settings:
    """Return the settings of this process; ConfigError for a bad one."""
    from rebalancer import settings  # noqa: PLC0415  # pydantic costs a third of a second

    return settings.load()


def mode_of(settings: Settings, *, live_flag: bool) -> str:
    """Return the mode that the two words ask for together; `--live` alone is refused, the setting alone stays dry."""
    if live_flag and settings.mode != LIVE:
        raise ConfigError(
            "--live needs REBALANCER_MODE=live in the environment as well; nothing was sent. "
            "Leave --live out for a dry run"
        )
    return LIVE if live_flag else DRY_RUN


def load_checked_targets(path: Path, *, live: bool) -> Targets:
    """Return the targets of a file; live also needs the two absolute limits."""
    from rebalancer.targets.file import load_targets  # noqa: PLC0415

    targets = load_targets(path)
    if live:
        require_live_limits(targets, path)
    return targets


def require_live_limits(targets: Targets, path: Path) -> None:
    """Raise ConfigError unless both absolute limits are set."""
    limits = targets.limits
    named = {"max_notional_per_day": limits.max_notional_per_day, "max_order_notional": limits.max_order_notional}
    missing = [name for name, value in named.items() if value is None]
    if missing:
        raise ConfigError(f"{path}: live trading needs {' and '.join(missing)} in [limits], in {targets.quote}")


def login_name() -> str:
    """Return who types: under sudo, who called it; a number where the machine knows no name."""
    try:
        return os.environ.get("SUDO_USER") or getpass.getuser()
    except (KeyError, OSError):
        return f"user {os.getuid()}"


def note(text: str) -> None:
    """Say something beside the result: on stderr, so that stdout stays a document."""
    print(text, file=sys.stderr)  # noqa: T201  # the terminal is this layer's business


@contextmanager
def connect(
    settings: Settings,
    kind: str,
    *,
    clock: SystemClock,
    codes: Mapping[str, str],
    live: bool = False,
    keep: bool = False,
    signed: bool = True,
) -> Iterator[Connection]:
    """Open a venue of that kind; only a live one can place orders.

    With `keep` the embedded exchange's state lives on in the state directory. Without a key, a venue that must sign
    is AuthFailed: there is no fallback.
    """
    from rebalancer.logs import register_secrets  # noqa: PLC0415
    from rebalancer.venues.htx.client import HtxVenue  # noqa: PLC0415
    from rebalancer.venues.htx.dry import DryHtxVenue  # noqa: PLC0415
    from rebalancer.venues.htx.sign import Credentials  # noqa: PLC0415
    from rebalancer.venues.htx.transport import HttpTransport  # noqa: PLC0415

    embedded = None
    if kind == "embedded":
        from rebalancer.cli.embedded import open_embedded  # noqa: PLC0415  # the simulator, only where it is used

        embedded = open_embedded(settings.paths.embedded if keep else None, clock)
    pair = embedded.key_pair if embedded else settings.key_pair()
    if pair is not None and embedded is None:
        register_secrets(pair)
    if pair is None and signed:
        text = f"{kind} needs REBALANCER_HTX_ACCESS_KEY and REBALANCER_HTX_SECRET_KEY; there is no fallback"
        raise AuthFailed(AuthCause.KEY, "no-key", text)
    with ExitStack() as stack:
        http = HttpTransport(clock=clock, transport=embedded.transport if embedded else None)
        stack.enter_context(http)
        gather = ThreadGather()
        stack.callback(gather.close)
        venue = (HtxVenue if live else DryHtxVenue)(
            http,
            base_url=embedded.base_url if embedded else settings.htx_url,
            credentials=None if pair is None else Credentials(*pair),
            clock=clock,
            gather=gather,
            rng=random.Random(os.urandom(8)),
            codes=codes,
        )
        yield Connection(venue, kind, gather, embedded)


def account_of(settings: Settings, connection: Connection, *, live: bool) -> str:
    """Return the spot account to use; a live run on a real venue must have named it."""
    from rebalancer.service.observe import choose_account  # noqa: PLC0415

    pinned = settings.htx_account_id if connection.embedded is None else None
    if live and pinned is None and connection.embedded is None:
        raise AuthFailed(
            AuthCause.ACCOUNT,
            "account-not-named",
            "live trading needs REBALANCER_HTX_ACCOUNT_ID; `rebalancer check` prints it",
        )
    return choose_account(connection.venue.fetch_accounts(), pinned)


def make_state_dir(settings: Settings) -> None:
    """Make the state directory; ConfigError when it cannot be, or cannot be written to."""
    path = settings.paths.state
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as exc:
        reason = os.strerror(exc.errno or 0)
        raise ConfigError(f"{path}: cannot be made: {reason}; set REBALANCER_STATE_DIR to a folder of yours") from None
    if not os.access(path, os.W_OK | os.X_OK):
        raise ConfigError(f"{path}: cannot be written to; run as its owner, or set REBALANCER_STATE_DIR")


def open_journal(path: Path, clock: SystemClock, connection: Connection, account_id: str, quote: str) -> Journal:
    """Open the journal of a venue for writing and make sure that it is about this account."""
    from rebalancer.journal.records import Binding  # noqa: PLC0415
    from rebalancer.journal.store import Journal  # noqa: PLC0415

    path.parent.mkdir(parents=True, exist_ok=True)
    journal = Journal.open(path, clock)
    journal.ensure_binding(Binding(connection.kind, connection.venue.host, account_id, quote))
    return journal


def journal_to_read(path: Path, clock: SystemClock) -> Journal:
    """Return the journal opened for reading, or an empty one in memory when there is none yet."""
    from rebalancer.journal.store import Journal  # noqa: PLC0415

    return Journal.open_to_read(path, clock) if path.exists() else Journal.open(":memory:", clock)


def make_shell(
    settings: Settings,
    connection: Connection,
    journal: Journal,
    *,
    clock: SystemClock,
    mode: str,
    account_id: str,
    stop_requested: Callable[[], bool] = lambda: False,
    say: Callable[[Progress], None] = lambda _progress: None,
) -> Shell:
    """Return the parts of a cycle."""
    from rebalancer.cli.local_disk import free_bytes  # noqa: PLC0415
    from rebalancer.service.pause import PauseSwitch  # noqa: PLC0415
    from rebalancer.service.shell import Shell  # noqa: PLC0415

    return Shell(
        venue=connection.venue,
        venue_name=connection.kind,
        mode=mode,
        account_id=account_id,
        journal=journal,
        clock=clock,
        gather=connection.gather,
        pause=PauseSwitch(settings.paths.pause),
        stop_requested=stop_requested,
        say=say,
        free_bytes=lambda: free_bytes(settings.paths.state),
    )
