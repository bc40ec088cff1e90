"""The life after a restore: the fence holds, nothing is sent twice, and the books say what they do not know."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from rebalancer.cli.restore import put_back
from rebalancer.errors import GuardTripped
from rebalancer.journal import records
from rebalancer.journal.copies import drafted_copy, head_of, put
from rebalancer.journal.rows import Kind
from tests.service.house import House
from tests.service.test_strangers import answer_halts


def restored(house: House, backup: Path) -> None:
    """Restore as the verb does, in the place of a journal that is lost."""
    house.close()
    for each in house.folder.glob("journal.db*"):
        each.unlink()
    put_back(house.folder / "journal.db", backup, head_of(backup, house.clock), house.clock, damaged=False)  # type: ignore[arg-type]
    house.start()


@pytest.mark.parametrize("hours", [1, 24 * 5])
def test_nothing_is_sent_after_a_restore_until_the_owner_answered_however_old_the_backup(
    tmp_path: Path, hours: int
) -> None:
    house = House(tmp_path)
    house.cycle()
    with drafted_copy(tmp_path / "journal.db", tmp_path / "backup.db", house.clock) as draft:
        put(draft, tmp_path / "backup.db")
    fences = {row.payload_text for row in house.journal.rows(kinds=(Kind.FENCE,))}
    house.exchange.deposit(house.user, "BTC", Decimal("0.4"))
    house.cycle()
    sent = len(house.wire.posts)
    house.clock.advance(3600 * hours)
    restored(house, tmp_path / "backup.db")
    assert {row.payload_text for row in house.journal.rows(kinds=(Kind.FENCE,))} > fences
    with pytest.raises(GuardTripped, match=r"restored from backup\.db"):
        house.cycle()
    assert len(house.wire.posts) == sent
    answer_halts(house)
    if hours < 47:  # as far back as orders are looked for: those that were forgotten halt once more
        with pytest.raises(GuardTripped, match="does not know it"):
            house.cycle()
        answer_halts(house)
    assert len(house.wire.posts) == sent
    known = {post["client-order-id"] for post in house.wire.posts}
    house.exchange.deposit(house.user, "ETH", Decimal(4))
    house.cycle()
    new = {post["client-order-id"] for post in house.wire.posts[sent:]}
    assert new and not new & known, "no id of the forgotten life is minted again"
    books = house.journal.state.books
    assert books is not None and books.differing() == {} and books.flows, "what was forgotten came by other hands"


def test_an_order_that_was_on_its_way_in_the_backup_is_asked_for_and_never_sent_again(tmp_path: Path) -> None:
    house = House(tmp_path, faults="lost_reply@place=1x1")
    house.cycle(settle_s=0)
    assert house.states().count("unknown") == 1
    with drafted_copy(tmp_path / "journal.db", tmp_path / "backup.db", house.clock) as draft:
        put(draft, tmp_path / "backup.db")
    house.set_faults("")
    house.cycle()
    sent = len(house.wire.posts)
    restored(house, tmp_path / "backup.db")
    answer_halts(house)
    for _ in range(3):
        try:
            house.cycle()
        except GuardTripped:
            answer_halts(house)
    ids = [post["client-order-id"] for post in house.wire.posts]
    assert len(ids) == len(set(ids)) >= sent
    assert "unknown" not in house.states()


def test_the_halt_is_in_the_file_before_it_is_in_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    house = House(tmp_path)
    house.cycle()
    with drafted_copy(tmp_path / "journal.db", tmp_path / "backup.db", house.clock) as draft:
        put(draft, tmp_path / "backup.db")

    def refuse(*_arguments: object, **_names: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(records, "halt", refuse)
    with pytest.raises(Exception, match="No space left"):
        restored(house, tmp_path / "backup.db")
    assert not (tmp_path / "journal.db").exists(), "rather none than one that trades on"
    assert [each.name for each in tmp_path.iterdir() if each.name.startswith(".")] == []
