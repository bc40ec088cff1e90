"""`rebalancer demo --serve`: weeks of the service in minutes, beside the page, on an embedded exchange."""

from __future__ import annotations

import random
import signal
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rebalancer import __version__
from rebalancer.cli.context import LIVE
from rebalancer.cli.dashboard import require_web_extra
from rebalancer.cli.demo_story import Story
from rebalancer.cli.demo_teller import Teller
from rebalancer.cli.house import open_house
from rebalancer.cli.page_server import door_on, page_beside
from rebalancer.cli.serve import SCHEDULE_ID, TargetsInForce, resolve_open, stop_on_signals
from rebalancer.errors import RebalancerError
from rebalancer.service.clock import HurriedClock
from rebalancer.service.requests import LIFE

if TYPE_CHECKING:
    from rebalancer.scheduler import Note
    from rebalancer.service.shell import Progress
    from rebalancer.settings import Settings

WEEKS = 4  # the demo begins that long ago, so that it reaches the present while it is looked at
MINUTES_A_DAY = 24 * 60
TURN_S = 300.0  # few turns a look, and yet what the page asks for is taken at once
REFRESH_S = 2
NOTICE = "A demo: an embedded exchange, no real money, and time that passes quickly between the looks."
SCHEDULE = '\n[schedule]\ncron     = "7 * * * *"  # hourly\njitter_s = 0\n'


def serve_demo(targets_text: str, *, port: int, days_a_minute: float) -> None:
    """Run cycles and page until told to stop; nothing is left behind. RebalancerError when the page ends by itself."""
    require_web_extra()
    from rebalancer.logs import configure  # noqa: PLC0415

    configure("WARNING")
    rate = days_a_minute * MINUTES_A_DAY
    clock = HurriedClock(rate, ahead=-timedelta(weeks=WEEKS))
    asked = stop_on_signals(clock, signal.SIGHUP)  # a closed terminal too: the folder must not stay
    gone: list[str] = []

    def page_ended() -> None:
        gone.append("the page ended by itself")
        clock.stop()

    teller = Teller(days_a_minute)
    with tempfile.TemporaryDirectory(prefix="rebalancer-demo-") as folder:
        settings = _settings(Path(folder), targets_text)
        with _page(settings, clock, port, page_ended) as link:
            teller.welcome(link, settings.paths, WEEKS)
            _run(settings, clock, teller, lambda: asked() or bool(gone), LIFE * max(1.0, rate))
            wanted = asked()
    if not wanted:
        raise RebalancerError(gone[0])
    teller.farewell()


def _settings(folder: Path, targets_text: str) -> Settings:
    """Return settings of the demo alone: neither key nor mode nor state of the caller reaches it."""
    from rebalancer.settings import Settings  # noqa: PLC0415

    targets = folder / "targets.toml"
    targets.write_text(targets_text + SCHEDULE, encoding="utf-8")
    return Settings.model_construct(mode=LIVE, venue="embedded", state_dir=folder, targets=targets, clock_rate=1.0)


@contextmanager
def _page(settings: Settings, clock: HurriedClock, port: int, ended: Callable[[], None]) -> Iterator[str]:
    """Serve the page and yield the address that logs in by itself: what stands behind `#` never leaves the browser."""
    from rebalancer.web.access import Access, hosts_of, load_token  # noqa: PLC0415
    from rebalancer.web.pages import Place  # noqa: PLC0415

    paths = settings.paths
    journal = paths.journal("embedded")
    place = Place(journal, paths.state, paths.targets, LIVE, "embedded", __version__, NOTICE, REFRESH_S)
    with door_on("127.0.0.1", port, "--port 0 picks a free one") as door:
        bound = door.getsockname()[1]
        access = Access(load_token(paths.state), hosts_of("127.0.0.1", bound), secure=False)
        with page_beside(place, access, clock, door, ended):
            yield f"http://127.0.0.1:{bound}/login#token={access.token}"


def _run(
    settings: Settings, clock: HurriedClock, teller: Teller, stopping: Callable[[], bool], life: timedelta
) -> None:
    """Run the service as `serve` does, with a story around it; what the page asks for counts for `life`."""
    from rebalancer.cli.demo_owner import confirm_staged, give_leave  # noqa: PLC0415
    from rebalancer.cli.obey import obey  # noqa: PLC0415
    from rebalancer.logs import logger  # noqa: PLC0415
    from rebalancer.scheduler import Service, SlotScheduler  # noqa: PLC0415
    from rebalancer.sdnotify import Notifier  # noqa: PLC0415
    from rebalancer.targets.last_good import LastGood  # noqa: PLC0415

    log, paths = logger(), settings.paths
    force = TargetsInForce(LastGood(paths.targets, paths.state), settings, live=True, say=_unless_told(log.warning))

    def step(progress: Progress) -> None:
        teller.step(clock.now(), progress)

    with open_house(settings, force.targets, mode=LIVE, clock=clock, say=step, stop_requested=stopping) as house:
        house.recover()
        assert house.connection.embedded is not None
        story = Story(house.connection.embedded, paths, clock.now())

        def look(slot: datetime) -> None:
            targets = force.refresh()
            house.take_over(targets)
            result = house.cycle(targets, schedule_id=SCHEDULE_ID, slot=slot, settle_s=0)
            teller.cycle(slot, result)
            teller.answered(slot, give_leave(house.shell.journal, targets, result))

        def turn() -> None:
            now = clock.now()
            teller.happened(now, story.go_on(now))
            obey(paths, house, force.refresh, log, life=life)
            teller.answered(now, confirm_staged(settings))

        def note(kind: Note, text: str) -> None:
            if kind.value == "failed":
                teller.failed(clock.now(), text)

        service = Service(
            schedule_id=SCHEDULE_ID,
            book=house.shell.journal,
            run_slot=look,
            resolve=lambda: resolve_open(house),
            schedule=lambda: force.refresh().schedule,
            clock=clock,
            rng=random.Random(0),
            notifier=Notifier({}, 0),
            stop_requested=stopping,
            say=note,
            obey=turn,
            turn_s=TURN_S,
        )
        SlotScheduler(service).serve()


def _unless_told(say: Callable[..., None]) -> Callable[..., None]:
    """Return a voice that leaves out what the teller says in its own words."""

    def say_the_rest(event: str, **facts: Any) -> None:
        if event != "targets_changed":
            say(event, **facts)

    return say_the_rest
