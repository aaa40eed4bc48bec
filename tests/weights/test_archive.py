"""Several weight files in one archive."""

from pathlib import Path

import pytest

from .world import World, zip_of

MEMBERS = {
    "onnx/bass.onnx": b"bass" * 50_000,
    "onnx/drums.onnx": b"drums",
    "flat.onnx": b"flat",
}


def test_one_download_for_all_members_whatever_their_folders(world: World) -> None:
    world.publish_zip(MEMBERS)
    assert len(world.fetch()) == 3
    for path, content in MEMBERS.items():
        assert (world.folder / Path(path).name).read_bytes() == content
    assert world.names == {"bass.onnx", "drums.onnx", "flat.onnx"}
    assert len(world.server.asked) == 1
    assert {name for name, _, _ in world.seen} == {"nets.zip"}


def test_only_missing_members_are_replaced(world: World) -> None:
    world.publish_zip(MEMBERS)
    world.fetch()
    (world.folder / "drums.onnx").unlink()
    before = (world.folder / "bass.onnx").stat().st_mtime_ns
    assert world.fetch() == [world.folder / "drums.onnx"]
    assert (world.folder / "bass.onnx").stat().st_mtime_ns == before


def test_a_stopped_archive_is_taken_up(world: World) -> None:
    world.publish_zip(MEMBERS)
    world.leave_part("nets.zip", world.server.files["/published/nets.zip"][:100])
    world.fetch()
    assert world.server.asked == [("/published/nets.zip", "bytes=100-")]
    assert world.names == {"bass.onnx", "drums.onnx", "flat.onnx"}


def test_the_part_of_another_archive_is_dropped(world: World) -> None:
    world.publish_zip(MEMBERS)
    world.leave_part("nets.zip", b"x" * 100)
    world.fetch()
    assert [wanted for _, wanted in world.server.asked] == ["bytes=100-", None]
    assert world.names == {"bass.onnx", "drums.onnx", "flat.onnx"}


def test_the_right_one_of_several_members_with_a_name(world: World) -> None:
    archive = zip_of(
        {"__MACOSX/bass.onnx": b"x", "old/bass.onnx": b"BASS", "new/bass.onnx": b"bass"}
    )
    world.publish_zip({"new/bass.onnx": b"bass"}, archive)
    world.fetch()
    assert (world.folder / "bass.onnx").read_bytes() == b"bass"


@pytest.mark.parametrize(
    ("archive", "reason"),
    [
        (b"<html>a page for people</html>", "it is no zip archive that can be read"),
        (zip_of({"drums.onnx": b"bass"}), "no bass.onnx is in it"),
        (zip_of({"a/bass.onnx": b"BASS"}), "a/bass.onnx: its SHA-256 is"),
        (zip_of({"a/bass.onnx": b"longer"}), "a/bass.onnx has 6 bytes instead of 4"),
    ],
)
def test_wrong_archives(world: World, archive: bytes, reason: str) -> None:
    world.publish_zip({"bass.onnx": b"bass"}, archive)
    line = world.refused()
    assert f"/published/nets.zip is not what it should be: {reason}" in line
    assert line.endswith(f"put the file at {world.folder / 'bass.onnx'} by hand")
    assert world.names == set()


def test_a_damaged_archive(world: World) -> None:
    damaged = bytearray(zip_of(MEMBERS))
    damaged[60:80] = bytes(20)
    world.publish_zip(MEMBERS, bytes(damaged))
    line = world.refused()
    assert "no zip archive that can be read" in line
    assert line.endswith(
        f"put the files into {world.folder} by hand: bass.onnx, drums.onnx, flat.onnx"
    )
    assert world.names == set()


def test_what_a_stop_left_at_the_very_end_is_removed(world: World) -> None:
    world.publish_zip(MEMBERS)
    world.fetch()
    world.leave_part("nets.zip", b"all of it")
    assert world.fetch() == []
    assert world.names == {"bass.onnx", "drums.onnx", "flat.onnx"}
