"""The composition root: settings, venue, journal and clock become the parts that a verb works with."""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rebalancer.core.targets import Targets
from rebalancer.errors import AuthCause, AuthFailed, ConfigError
from rebalancer.service.clock import SystemClock
from rebalancer.service.gather import ThreadGather

if TYPE_CHECKING:  # these import httpx, pydantic and sqlite3, which `--help` must not pay for
    from rebalancer.cli.embedded import Embedded
    from rebalancer.settings import Settings
    from rebalancer.venues.htx.client import HtxVenue

DRY_RUN, LIVE = "dry-run", "live"


@dataclass(frozen=True)
class Connection:
    """A venue ready for calls, and what to print about it."""

    venue: HtxVenue
    kind: str  # embedded | loopback | htx
    embedded: Embedded | None = None


def load_settings() -> Settings:
    """Return the settings of this process; ConfigError for a bad one."""
    from rebalancer.settings import load  # noqa: PLC0415  # pydantic costs a third of a second

    return load()


def mode_of(settings: Settings, *, live_flag: bool) -> str:
    """Return the mode that the two words together ask for; `--live` alone is refused, the setting alone stays dry."""
    if live_flag and settings.mode != LIVE:
        raise ConfigError(
            "--live needs REBALANCER_MODE=live in the environment as well; nothing was sent. "
            "Leave --live out for a dry run"
        )
    return LIVE if live_flag else DRY_RUN


def load_checked_targets(settings: Settings, *, live: bool) -> Targets:
    """Return the targets of the settings' file; live also needs the two absolute limits."""
    from rebalancer.targets_file import load_targets  # noqa: PLC0415

    targets = load_targets(settings.targets_path)
    if live:
        require_live_limits(targets, settings.targets_path)
    return targets


def require_live_limits(targets: Targets, path: Path) -> None:
    """Raise ConfigError unless both absolute limits are set."""
    limits = targets.limits
    missing = [
        name
        for name, value in (
            ("max_notional_per_day", limits.max_notional_per_day),
            ("max_order_notional", limits.max_order_notional),
        )
        if value is None
    ]
    if missing:
        raise ConfigError(f"{path}: live trading needs {' and '.join(missing)} in [limits], in {targets.quote}")


def note(text: str) -> None:
    """Say something beside the result: on stderr, so that stdout stays a document."""
    print(text, file=sys.stderr)  # noqa: T201  # the terminal is this layer's business


@contextmanager
def connect(
    settings: Settings, *, clock: SystemClock, codes: dict[str, str], kind: str, live: bool = False, keep: bool = False
) -> Iterator[Connection]:
    """Open the venue of that kind; with `keep` the embedded exchange's state lives on in the state directory."""
    from rebalancer.venues.htx.client import HtxVenue  # noqa: PLC0415
    from rebalancer.venues.htx.transport import HttpTransport  # noqa: PLC0415

    with ExitStack() as stack:
        embedded = None
        if kind == "embedded":
            from rebalancer.cli.embedded import open_embedded  # noqa: PLC0415  # the simulator, only where it is used

            embedded = open_embedded(settings.paths.embedded if keep else None, clock)
            credentials, base_url, transport = embedded.credentials, embedded.base_url, embedded.transport
        else:
            credentials, base_url, transport = settings.credentials(), settings.htx_url, None
            if live and credentials is None:
                raise AuthFailed(
                    AuthCause.KEY,
                    "no-key",
                    "live trading needs REBALANCER_HTX_ACCESS_KEY and REBALANCER_HTX_SECRET_KEY; there is no fallback",
                )
        http = stack.enter_context(HttpTransport(clock=clock, transport=transport))
        gather = ThreadGather()
        stack.callback(gather.close)
        venue = HtxVenue(
            http,
            base_url=base_url,
            credentials=credentials,
            clock=clock,
            gather=gather,
            rng=random.Random(),
            codes=codes,
        )
        yield Connection(venue, kind, embedded)
