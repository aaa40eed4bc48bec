"""What another system's folder holds already is not downloaded again."""

import errno
import os
import shutil
from pathlib import Path

import pytest

from my_submission import weights
from my_submission.errors import DemixError

from .world import World


@pytest.fixture
def sibling(world: World) -> Path:
    """Publish a file of the systems "one" and "two"; "two" has it already."""
    for system in ("one", "two"):
        world.publish("drums-1.th", b"drums", system=system)
    path = world.models / "two" / "drums-1.th"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"drums")
    return path


@pytest.fixture
def no_links(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the folder of models one where files cannot be linked."""

    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))

    monkeypatch.setattr(os, "link", refuse)


class TestTaken:
    """A sibling has the file."""

    def test_it_is_one_file_with_two_names(self, world: World, sibling: Path) -> None:
        assert world.fetch() == [world.folder / "drums-1.th"]
        assert (world.folder / "drums-1.th").samefile(sibling)
        assert world.names == {"drums-1.th"}
        assert world.server.asked == []
        assert world.fetch() == []

    @pytest.mark.usefixtures("no_links")
    def test_it_is_copied_where_links_are_impossible(self, world: World, sibling: Path) -> None:
        assert world.fetch() == [world.folder / "drums-1.th"]
        assert (world.folder / "drums-1.th").read_bytes() == b"drums"
        assert not (world.folder / "drums-1.th").samefile(sibling)
        assert world.names == {"drums-1.th"}
        assert world.server.asked == []

    def test_only_the_rest_is_downloaded(self, world: World, sibling: Path) -> None:
        world.publish("bass.th", b"bass")
        assert world.fetch() == [world.folder / "drums-1.th", world.folder / "bass.th"]
        assert world.server.asked == [("/published/bass.th", None)]
        assert sibling.exists()

    def test_it_takes_the_place_of_a_wrong_file_and_of_a_download_that_stopped(
        self, world: World, sibling: Path
    ) -> None:
        world.leave_part("drums-1.th", b"dru")
        (world.folder / "drums-1.th").write_bytes(b"wrong")
        world.fetch()
        assert (world.folder / "drums-1.th").read_bytes() == b"drums"
        assert sibling.read_bytes() == b"drums"
        assert world.names == {"drums-1.th"}

    @pytest.mark.usefixtures("sibling", "no_links")
    def test_a_wrong_file_stays_where_there_is_no_link_and_no_room_for_a_copy(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refuse(*_: object) -> None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        world.folder.mkdir()
        (world.folder / "drums-1.th").write_bytes(b"wrong")
        monkeypatch.setattr(shutil, "copyfile", refuse)
        assert "No space left on device" in world.refused()
        assert (world.folder / "drums-1.th").read_bytes() == b"wrong"
        assert world.names == {"drums-1.th"}

    @pytest.mark.usefixtures("sibling")
    @pytest.mark.parametrize("stopped", ["link", "replace"])
    def test_a_wrong_file_stays_where_the_link_is_interrupted(
        self, world: World, stopped: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        done = getattr(os, stopped)

        def interrupt(*paths: Path) -> None:
            if stopped == "link":  # a signal that comes just after it was made
                done(*paths)
            raise KeyboardInterrupt

        world.folder.mkdir()
        (world.folder / "drums-1.th").write_bytes(b"wrong")
        monkeypatch.setattr(os, stopped, interrupt)
        with pytest.raises(KeyboardInterrupt):
            world.fetch()
        assert (world.folder / "drums-1.th").read_bytes() == b"wrong"
        assert world.names == {"drums-1.th"}

    @pytest.mark.usefixtures("sibling")
    def test_nothing_of_a_download_that_stopped_stays_where_files_are_left_to_get_by_hand(
        self, world: World
    ) -> None:
        world.list_file("bass.pt", b"bass", 'by_hand = "a friend"')
        world.leave_part("drums-1.th", b"dru")
        assert "get bass.pt by hand" in world.refused()
        assert world.names == {"drums-1.th"}

    def test_it_stays_when_the_sibling_goes(self, world: World, sibling: Path) -> None:
        (sibling.parent / "elsewhere").write_bytes(sibling.read_bytes())
        sibling.unlink()
        sibling.symlink_to("elsewhere")
        world.fetch()
        (sibling.parent / "elsewhere").unlink()
        assert not (world.folder / "drums-1.th").is_symlink()
        assert (world.folder / "drums-1.th").read_bytes() == b"drums"

    def test_files_of_an_archive_are_taken_without_the_archive(self, world: World) -> None:
        world.publish_zip({"nets/bass.onnx": b"bass"})
        world.list_file("bass.onnx", b"bass", system="two")
        (world.models / "two").mkdir(parents=True)
        (world.models / "two" / "bass.onnx").write_bytes(b"bass")
        assert world.fetch() == [world.folder / "bass.onnx"]
        assert world.server.asked == []


class TestNotTaken:
    """A sibling has something else, or nothing that can be trusted."""

    def test_a_damaged_sibling_is_left_alone(self, world: World, sibling: Path) -> None:
        sibling.write_bytes(b"DRUMS")
        assert world.fetch() == [world.folder / "drums-1.th"]
        assert (world.folder / "drums-1.th").read_bytes() == b"drums"
        assert sibling.read_bytes() == b"DRUMS"
        assert len(world.server.asked) == 1

    def test_a_damaged_sibling_is_repaired_from_the_whole_one(
        self, world: World, sibling: Path
    ) -> None:
        world.folder.mkdir()
        sibling.rename(world.folder / "drums-1.th")
        assert world.fetch() == []
        sibling.write_bytes(b"DRUMS")
        world.folder.rename(world.models / "three")
        sibling.parent.rename(world.folder)
        (world.models / "three").rename(sibling.parent)
        assert world.fetch() == [world.folder / "drums-1.th"]
        assert (world.folder / "drums-1.th").read_bytes() == b"drums"
        assert world.server.asked == []

    def test_a_sibling_that_cannot_be_read_does_not_matter(
        self, world: World, sibling: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        sha256_of = weights.sha256_of

        def read(path: Path) -> str:
            if path == sibling:
                raise DemixError(f"cannot read {path}: Input/output error")
            return sha256_of(path)

        monkeypatch.setattr(weights, "sha256_of", read)
        assert world.fetch() == [world.folder / "drums-1.th"]
        assert (world.folder / "drums-1.th").read_bytes() == b"drums"

    def test_another_file_of_the_same_name(self, world: World) -> None:
        world.publish("bass.onnx", b"two's", system="two")
        (world.models / "two").mkdir(parents=True)
        (world.models / "two" / "bass.onnx").write_bytes(b"two's")
        world.publish("bass.onnx", b"one's")
        world.fetch()
        assert (world.folder / "bass.onnx").read_bytes() == b"one's"

    def test_files_without_a_hash(self, world: World) -> None:
        for system in ("one", "two"):
            world.list_file("bass.pt", b"", 'by_hand = "a folder"', 'sha256 = ""', system=system)
        (world.models / "two").mkdir(parents=True)
        (world.models / "two" / "bass.pt").write_bytes(b"")
        assert "get bass.pt by hand from a folder" in world.refused()

    @pytest.mark.usefixtures("no_links", "sibling")
    def test_a_folder_that_takes_nothing_is_one_error(self, world: World) -> None:
        (world.folder / "drums-1.th" / "in the way").mkdir(parents=True)
        assert world.refused().startswith(f"cannot write {world.folder / 'drums-1.th'}: ")
