"""Which files are fetched, where from and where to."""

import hashlib
import re
from pathlib import Path

import pytest

from my_submission import weights
from my_submission.errors import DemixError
from my_submission.fetch import fetch

from .server import Fault, Server
from .world import SIZE, World

FULL_DEVICE = Path("/dev/full")


class TestWhole:
    """Fetching without trouble."""

    def test_files_arrive_under_their_names_and_nothing_else(
        self, world: World, content: bytes
    ) -> None:
        world.publish("bass.th", content)
        world.publish("mixer.ckpt", b"mixer")
        assert world.fetch() == [world.folder / "bass.th", world.folder / "mixer.ckpt"]
        assert (world.folder / "bass.th").read_bytes() == content
        assert world.names == {"bass.th", "mixer.ckpt"}
        assert world.waits_s == []

    def test_progress_rises_to_the_whole(self, world: World, content: bytes) -> None:
        world.publish("bass.th", content)
        world.fetch()
        assert {(name, total) for name, _, total in world.seen} == {("bass.th", SIZE)}
        done = [step[1] for step in world.seen]
        assert done == sorted(done)
        assert (done[0], done[-1]) == (0, SIZE)
        assert len(done) > 3

    def test_what_is_right_is_not_fetched_again(self, world: World) -> None:
        world.publish("bass.th", b"bass")
        world.publish("mixer.ckpt", b"mixer")
        world.fetch()
        (world.folder / "mixer.ckpt").write_bytes(b"wrong")
        world.server.asked.clear()
        assert world.fetch() == [world.folder / "mixer.ckpt"]
        assert world.server.asked == [("/published/mixer.ckpt", None)]
        assert world.fetch() == []

    @pytest.mark.parametrize("form", [str.lower, str.upper])
    def test_a_prefix_of_the_hash_is_enough(self, world: World, form: type[str]) -> None:
        digits = form(hashlib.sha256(b"bass").hexdigest()[:8])
        world.publish("bass.th", b"bass", f'sha256 = "{digits}"', size=False)
        assert world.fetch() == [world.folder / "bass.th"]

    def test_a_length_that_nobody_knows(self, world: World, content: bytes) -> None:
        world.publish("bass.th", content, size=False)
        world.server.always = Fault(claim=-1)
        world.fetch()
        assert world.seen[-1] == ("bass.th", SIZE, None)

    def test_redirects_are_followed(self, world: World) -> None:
        world.publish("bass.th", b"bass")
        world.server.files["/elsewhere/bass.th"] = b"bass"
        world.server.faults = [Fault(302, {"Location": "/elsewhere/bass.th"})]
        assert world.fetch() == [world.folder / "bass.th"]


class TestMirror:
    """Another base instead of the published addresses."""

    @pytest.mark.parametrize("slash", ["", "/"])
    def test_argument(self, world: World, slash: str) -> None:
        url = 'url = "https://publisher.invalid/some/path/bass-1.th"'
        world.list_file("bass.th", b"bass", url)
        world.server.files["/mirror/one/bass-1.th"] = b"bass"
        assert world.fetch(f"{world.server.url}/mirror{slash}") == [world.folder / "bass.th"]

    def test_environment(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        world.list_file("bass.th", b"bass", 'url = "https://publisher.invalid/bass.th"')
        world.server.files["/one/bass.th"] = b"bass"
        monkeypatch.setenv("DEMIX_WEIGHTS_URL", world.server.url)
        assert world.fetch() == [world.folder / "bass.th"]

    def test_hashes_are_checked_all_the_same(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        world.list_file("bass.th", b"bass", 'url = "https://publisher.invalid/bass.th"')
        world.server.files["/one/bass.th"] = b"BASS"
        monkeypatch.setenv("DEMIX_WEIGHTS_URL", world.server.url)
        assert "SHA-256" in world.refused()
        assert world.names == set()

    def test_a_base_that_is_no_address(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        world.publish("bass.th", b"bass")
        monkeypatch.setenv("DEMIX_WEIGHTS_URL", "/mnt/weights")
        assert "'/mnt/weights' is no base for weights" in world.refused()


class TestNotFromTheNet:
    """Files that lie in the repository, or that only people can get."""

    def test_files_of_the_repository_are_copied_into_other_folders(
        self, world: World, repository: Path
    ) -> None:
        world.list_file("bass.onnx", b"bass")
        (repository / "one").mkdir()
        (repository / "one" / "bass.onnx").write_bytes(b"bass")
        assert world.fetch() == [world.folder / "bass.onnx"]
        assert (world.folder / "bass.onnx").read_bytes() == b"bass"
        assert world.names == {"bass.onnx"}

    @pytest.mark.parametrize("committed", [None, b"changed"])
    def test_a_damaged_repository_is_to_be_restored(
        self, world: World, repository: Path, committed: bytes | None
    ) -> None:
        world.list_file("bass.onnx", b"bass")
        path = repository / "one" / "bass.onnx"
        if committed is not None:
            path.parent.mkdir()
            path.write_bytes(committed)
        assert f"run `git checkout -- {path}`" in world.refused()
        assert world.names == set()
        world.models = repository
        assert f"run `git checkout -- {path}`" in world.refused()

    def test_by_hand_says_where_from_and_where_to_after_the_rest_was_fetched(
        self, world: World
    ) -> None:
        world.list_file("bass.pt", b"bass", 'by_hand = "https://example.org/folder"', size=False)
        world.list_file("drums.pt", b"drums", 'by_hand = "https://example.org/folder"')
        world.publish("mixer.ckpt", b"mixer")
        assert world.refused() == (
            "what can be fetched of one is there; get bass.pt, drums.pt by hand from "
            f"https://example.org/folder and put them into {world.folder}"
        )
        assert world.names == {"mixer.ckpt"}
        (world.folder / "bass.pt").write_bytes(b"bass")
        (world.folder / "drums.pt").write_bytes(b"drums")
        assert world.fetch() == []

    def test_unknown_systems(self, world: World) -> None:
        world.publish("bass.th", b"bass")
        with pytest.raises(DemixError, match="no weights are listed for 'two': choose from one"):
            fetch("two", world.models, manifest=world.manifest)
        assert not world.models.exists()


class TestUnwritable:
    """Folders that take nothing."""

    def test_a_file_in_the_place_of_the_folder(self, world: World) -> None:
        world.publish("bass.th", b"bass")
        world.models.write_bytes(b"")
        assert re.match(
            rf"cannot write {re.escape(str(world.folder))}: .* --models", world.refused()
        )

    @pytest.mark.skipif(not FULL_DEVICE.exists(), reason="needs a device that is always full")
    @pytest.mark.parametrize("zipped", [False, True])
    def test_a_full_disk(self, world: World, content: bytes, zipped: bool) -> None:
        if zipped:
            world.publish_zip({"bass.th": content})
        else:
            world.publish("bass.th", content)
        world.folder.mkdir(parents=True)
        (world.folder / ".bass.th.part").symlink_to(FULL_DEVICE)
        assert "No space left on device" in world.refused()
        assert not (world.folder / "bass.th").exists()


def test_the_usual_folder_and_list(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DEMIX_MODELS", str(tmp_path))
    with pytest.raises(
        DemixError, match=f"{server.url}/leaderboard_a/onnx_A.zip: the server says 404"
    ):
        fetch("leaderboard_a", base_url=server.url)
    assert [path for path, _ in server.asked] == ["/leaderboard_a/onnx_A.zip"]
    with pytest.raises(DemixError, match="run `demix weights fetch leaderboard_a`"):
        weights.system_folder("leaderboard_a")
