"""`backup` and `restore`: what is put back is what was copied, and nothing that is newer is ever lost."""

from __future__ import annotations

import io
import json
import os
import shutil
import stat
from pathlib import Path

import pytest

from rebalancer.cli.exits import Exit
from rebalancer.journal.store import Journal
from rebalancer.service.clock import SystemClock
from rebalancer.service.lock import hold_lock
from tests.cli.conftest import Owner
from tests.cli.exchanges import EMBEDDED, LIVE, exchange_with, key_for


def journal_of(owner: Owner) -> Path:
    return owner.state / "embedded" / "journal.db"


def rows_of(path: Path) -> int:
    with Journal.open_to_read(path, SystemClock()) as journal:
        return journal.verify()


@pytest.fixture
def saved(owner: Owner) -> Owner:
    """An owner after a live run, with a backup of it."""
    owner.say("run", "--live", **LIVE)
    assert owner.say("backup", "saved.db").code == Exit.DONE
    return owner


def lose(owner: Owner) -> None:
    for path in journal_of(owner).parent.glob("journal.db*"):
        path.unlink()


def test_a_backup_is_verified_private_and_says_what_it_holds(owner: Owner) -> None:
    owner.say("run", "--live", **LIVE)
    document = json.loads(owner.say("backup", "saved.db", "--json").out)
    path = owner.folder / "saved.db"
    assert document["schema"] == "rebalancer.backup/1" and document["rows"] == rows_of(path) == rows_of(
        journal_of(owner)
    )
    assert stat.S_IMODE(path.stat().st_mode) == 0o600 and document["bytes"] == path.stat().st_size
    said = owner.say("backup", "saved.db")
    assert said.out.startswith("DRY-RUN on embedded\n") and "every" in said.out, "an older backup is replaced"
    assert [line for line in said.out.splitlines() if len(line) > 80] == []


def test_a_folder_gets_a_file_named_by_venue_and_moment(saved: Owner) -> None:
    (saved.folder / "there").mkdir()
    document = json.loads(saved.say("backup", "there", "--json").out)
    assert document["path"].startswith("there/rebalancer-embedded-20") and rows_of(saved.folder / document["path"])


@pytest.mark.parametrize("name", ["targets.toml", "state/embedded/journal.db", "none/saved.db"])
def test_what_is_no_backup_is_never_written_over(saved: Owner, name: str) -> None:
    place = saved.folder / name
    before = place.read_bytes() if place.exists() else None
    said = saved.say("backup", name)
    assert said.code == Exit.CONFIG and ("name another place" in said.err)
    assert (place.read_bytes() if place.exists() else None) == before


def test_without_a_journal_there_is_nothing_to_back_up(owner: Owner) -> None:
    said = owner.say("backup", "saved.db")
    assert said.code == Exit.CONFIG and "no journal yet" in said.err and not owner.state.exists()


def test_a_backup_is_made_while_the_service_holds_the_lock_and_the_journal(saved: Owner) -> None:
    with hold_lock(saved.state / "lock"), Journal.open(journal_of(saved), SystemClock()):
        assert saved.say("backup", "again.db").code == Exit.DONE
        refused = saved.say("restore", "saved.db", "--yes")
    assert refused.code == Exit.LOCKED
    assert rows_of(saved.folder / "again.db") == rows_of(saved.folder / "saved.db") + 1, "with the fence of that life"


def test_a_lost_journal_comes_back_halted_until_the_owner_answers(saved: Owner) -> None:
    history = saved.say("history", "--json").out
    mode = stat.S_IMODE(journal_of(saved).stat().st_mode)
    lose(saved)
    document = json.loads(saved.say("restore", "saved.db", "--yes", "--json").out)
    assert document["schema"] == "rebalancer.restore/1" and document["found"] == "none" and document["kept"] is None
    assert saved.say("history", "--json").out == history
    assert stat.S_IMODE(journal_of(saved).stat().st_mode) == mode, "who could read it can read it again"
    refused = saved.say("run", "--live", **LIVE)
    assert refused.code == Exit.REFUSED and "restored from saved.db" in refused.out + refused.err
    (halt,) = json.loads(saved.say("status", "--json").out)["halts"]
    assert halt["code"] == "restored"
    assert saved.say("ack", str(halt["id"]), "--yes", **EMBEDDED).code == Exit.DONE
    assert saved.say("run", "--live", **LIVE).code in {Exit.DONE, Exit.WORK_LEFT}


def test_a_journal_with_rows_that_the_backup_lacks_is_not_replaced(saved: Owner) -> None:
    saved.say("run", **EMBEDDED)
    before = journal_of(saved).read_bytes()
    said = saved.say("restore", "saved.db", "--yes")
    assert said.code == Exit.REFUSED and "has rows that saved.db lacks" in said.err
    assert journal_of(saved).read_bytes() == before
    lose(saved)
    saved.say("run", **EMBEDDED)  # begun anew: another life, however short
    said = saved.say("restore", "saved.db", "--yes")
    assert said.code == Exit.REFUSED and "would forget orders" in said.err


def test_an_older_journal_is_replaced_and_the_same_one_left_alone(saved: Owner) -> None:
    old = saved.folder / "old"
    shutil.copytree(saved.state, old)
    said = saved.say("restore", "saved.db", "--yes")
    assert said.code == Exit.DONE and "nothing was changed" in said.out
    saved.say("run", **EMBEDDED)
    saved.say("backup", "newer.db")
    newer = rows_of(journal_of(saved))
    shutil.rmtree(saved.state)
    shutil.copytree(old, saved.state)
    assert saved.say("restore", "newer.db", "--yes").code == Exit.DONE
    assert rows_of(journal_of(saved)) == newer + 2, "the fence of the new life and its halt"


def test_a_backup_is_not_put_beside_a_log_that_would_bring_the_lost_rows_back_and_take_the_halt_away(
    saved: Owner,
) -> None:
    path = journal_of(saved)
    with Journal.open(path, SystemClock()):
        log = path.with_name("journal.db-wal").read_bytes()
    lose(saved)
    path.with_name("journal.db-wal").write_bytes(log)
    said = saved.say("restore", "saved.db", "--yes")
    assert said.code == Exit.CONFIG and "or delete it if that is lost for good" in " ".join(said.err.split())
    assert not path.exists()
    assert saved.say("run", **EMBEDDED).code == Exit.CONFIG, "a new one is not begun beside it either"
    path.with_name("journal.db-wal").unlink()
    assert saved.say("restore", "saved.db", "--yes").code == Exit.DONE
    assert len(json.loads(saved.say("status", "--json").out)["halts"]) == 1


def test_a_damaged_journal_is_kept_beside_the_restored_one(saved: Owner) -> None:
    content = bytearray(journal_of(saved).read_bytes())
    content[9000:12000] = os.urandom(3000)
    journal_of(saved).write_bytes(content)
    assert saved.say("status").code == Exit.FAILURE
    document = json.loads(saved.say("restore", "saved.db", "--yes", "--json").out)
    assert document["found"] == "damaged" and Path(document["kept"]).read_bytes() == bytes(content)
    assert saved.say("check", "--deep", "--json", **EMBEDDED).code == Exit.REFUSED, "the halt"
    assert rows_of(journal_of(saved)) == document["rows"] + 2


@pytest.mark.parametrize(
    "part", [b"SQLite format", b"CREATE TABLE journal", b'"schedule_id":"manual"', b'"zlib":"', b"BINDING"]
)
def test_a_damaged_backup_is_refused_and_what_is_there_stays(saved: Owner, part: bytes) -> None:
    content = (saved.folder / "saved.db").read_bytes()
    assert part in content
    (saved.folder / "saved.db").write_bytes(content.replace(part, bytes(each ^ 0x01 for each in part), 1))
    before = journal_of(saved).read_bytes()
    said = saved.say("restore", "saved.db", "--yes")
    assert said.code == Exit.FAILURE and "Traceback" not in said.err and "unexpected" not in said.err
    assert journal_of(saved).read_bytes() == before
    lose(saved)
    assert saved.say("restore", "saved.db", "--yes").code == Exit.FAILURE
    assert not journal_of(saved).exists()


def test_what_is_no_backup_of_this_account_is_refused(saved: Owner) -> None:
    (saved.folder / "text.db").write_text("no database " * 100)
    assert saved.say("restore", "text.db", "--yes").code == Exit.FAILURE
    assert saved.say("restore", "none.db", "--yes").code == Exit.USAGE
    with exchange_with() as (url, _):
        said = saved.say("restore", "saved.db", "--yes", **key_for(url))
    assert said.code == Exit.CONFIG and "is about embedded" in said.err


def test_it_asks_and_a_no_changes_nothing(saved: Owner, monkeypatch: pytest.MonkeyPatch) -> None:
    lose(saved)
    monkeypatch.setattr("sys.stdin", io.StringIO("no\n"))
    said = saved.say("restore", "saved.db")
    assert said.code == Exit.FAILURE and "not confirmed" in said.err and not journal_of(saved).exists()
    assert saved.say("restore", "saved.db", "--json").code == Exit.USAGE
    assert [path.name for path in journal_of(saved).parent.iterdir() if path.name.startswith(".")] == []
