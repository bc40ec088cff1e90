"""The journal over a network is refused by name, before there is one; whatever else a disk is, it will do."""

from __future__ import annotations

from pathlib import Path

import pytest

from rebalancer.cli import check, local_disk
from rebalancer.cli.exits import Exit
from rebalancer.cli.local_disk import file_system_of, free_bytes, require_local_disk
from rebalancer.errors import ConfigError
from tests.cli.conftest import Owner


def mounts(monkeypatch: pytest.MonkeyPatch, table: Path, *mounted: tuple[Path, str]) -> None:
    """Let this machine have these file systems, and a disk at its root."""
    all_of_it = [(Path("/"), "ext4"), *mounted]
    places = [str(place).replace(" ", "\\040") for place, _ in all_of_it]
    lines = [
        f"9 1 8:1 / {place} rw shared:1 - {kind} disk rw" for place, (_, kind) in zip(places, all_of_it, strict=True)
    ]
    table.write_text("\n".join(lines) + "\n")
    monkeypatch.setattr(local_disk, "MOUNTS", table)


@pytest.mark.parametrize("kind", ["nfs", "nfs4", "cifs", "smb3", "ceph", "fuse.sshfs", "fuse.rclone", "9p"])
def test_no_run_puts_its_journal_on_a_network(owner: Owner, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    mounts(monkeypatch, owner.folder / "mounts", (owner.folder, kind))
    said = owner.say("run", REBALANCER_VENUE="embedded")
    assert (
        said.code == Exit.CONFIG and f"network file system ({kind})" in said.err and "REBALANCER_STATE_DIR" in said.err
    )
    assert not list(owner.folder.rglob("journal.db"))
    checked = owner.say("check", REBALANCER_VENUE="embedded")
    assert checked.code == Exit.CONFIG and f"network file system ({kind})" in " ".join(checked.out.split())
    assert owner.say("dashboard", REBALANCER_VENUE="embedded").code == Exit.CONFIG


@pytest.mark.parametrize("kind", ["ext4", "xfs", "btrfs", "zfs", "tmpfs", "overlay", "fuse.mergerfs", "fuseblk"])
def test_any_disk_of_this_machine_will_do(owner: Owner, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    mounts(monkeypatch, owner.folder / "mounts", (owner.folder, kind))
    assert owner.say("run", REBALANCER_VENUE="embedded").code == Exit.DONE


def test_the_nearest_mount_counts_and_of_two_at_one_place_the_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    far, near = tmp_path / "far away", tmp_path / "far away" / "near"
    near.mkdir(parents=True)
    mounts(monkeypatch, tmp_path / "mounts", (near, "xfs"), (far, "nfs"), (tmp_path, "nfs4"), (tmp_path, "btrfs"))
    found = {folder: file_system_of(folder) for folder in (near, far, tmp_path, tmp_path.parent)}
    assert found == {near: "xfs", far: "nfs", tmp_path: "btrfs", tmp_path.parent: "ext4"}
    (tmp_path / "link").symlink_to(far)
    with pytest.raises(ConfigError, match="nfs"):
        require_local_disk(tmp_path / "link")


def test_a_machine_that_does_not_say_is_believed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local_disk, "MOUNTS", tmp_path / "none")
    require_local_disk(tmp_path)
    monkeypatch.undo()
    assert file_system_of(tmp_path), "but this one does"


def test_a_live_run_asks_the_disk_that_its_journal_is_on(owner: Owner, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Path] = []

    def nearly_full(folder: Path) -> int:
        asked.append(folder)
        return 499_000_000

    monkeypatch.setattr(local_disk, "free_bytes", nearly_full)
    monkeypatch.setattr(check, "free_bytes", nearly_full)
    live = {"REBALANCER_VENUE": "embedded", "REBALANCER_MODE": "live"}
    said = owner.say("run", "--live", **live)
    assert said.code == Exit.REFUSED and "has 499 MB left, 500 are needed" in " ".join(said.err.split())
    checked = owner.say("check", **live)
    assert checked.code == Exit.REFUSED and "499 MB left, live runs need 500" in " ".join(checked.out.split())
    assert set(asked) == {owner.state}
    assert owner.say("run", REBALANCER_VENUE="embedded").code == Exit.DONE
    monkeypatch.undo()
    assert free_bytes(owner.folder) and free_bytes(owner.folder / "none") is None
