"""Downloads over connections that break, from servers that say odd things."""

import re
import socket

import pytest

from my_submission import download
from my_submission.fetch import fetch

from .server import Fault
from .world import SIZE, World


class TestTrouble:
    """Connections and servers that fail for a while."""

    def test_a_cut_connection_is_taken_up_where_it_broke(
        self, world: World, content: bytes
    ) -> None:
        world.publish("bass.th", content)
        world.server.faults = [Fault(cut=200_000)]
        world.fetch()
        assert (world.folder / "bass.th").read_bytes() == content
        wanted = [wanted for _, wanted in world.server.asked]
        assert wanted[0] is None
        assert wanted[1] is not None
        assert 100_000 < int(wanted[1].removeprefix("bytes=").removesuffix("-")) <= 200_000
        assert world.waits_s == [1.0]

    def test_servers_without_ranges_start_anew(self, world: World, content: bytes) -> None:
        world.publish("bass.th", content)
        world.server.knows_ranges = False
        world.server.faults = [Fault(cut=200_000)]
        world.fetch()
        assert (world.folder / "bass.th").read_bytes() == content

    @pytest.mark.parametrize("size", [True, False])
    def test_a_cut_that_the_length_does_not_show(
        self, world: World, content: bytes, size: bool
    ) -> None:
        world.publish("bass.th", content, size=size)
        world.server.faults = [Fault(cut=200_000, claim=-1)]
        if size:  # without it, only the hash can tell
            world.fetch()
            assert (world.folder / "bass.th").read_bytes() == content
        else:
            assert "SHA-256" in world.refused()
            assert world.names == set()

    @pytest.mark.parametrize("status", [408, 429, 500, 503])
    def test_busy_servers_are_asked_again(self, world: World, status: int) -> None:
        world.publish("bass.th", b"bass")
        world.server.faults = [Fault(status), Fault(status)]
        world.fetch()
        assert (world.folder / "bass.th").read_bytes() == b"bass"
        assert world.waits_s == [1.0, 2.0]

    @pytest.mark.parametrize(("asked_for", "waited"), [("7", 7.0), ("9999", 60.0), ("soon", 1.0)])
    def test_the_server_says_how_long_to_wait(
        self, world: World, asked_for: str, waited: float
    ) -> None:
        world.publish("bass.th", b"bass")
        world.server.faults = [Fault(503, {"Retry-After": asked_for})]
        world.fetch()
        assert world.waits_s == [waited]

    def test_waits_double_until_it_is_given_up(self, world: World) -> None:
        world.publish("bass.th", b"bass")
        world.server.always = Fault(503)
        line = world.refused()
        assert world.waits_s == [1.0, 2.0, 4.0, 8.0]
        assert len(world.server.asked) == 5
        assert f"{world.server.url}/published/bass.th: the server says 503" in line
        assert f"put the file at {world.folder / 'bass.th'} by hand" in line

    def test_new_bytes_earn_new_tries(self, world: World, content: bytes) -> None:
        world.publish("bass.th", content)
        faults = [Fault(503)] * 4
        world.server.faults = [
            *faults,
            Fault(cut=100_000),
            *faults[1:],
            Fault(cut=100_000),
            *faults[1:],
        ]
        world.fetch()
        assert (world.folder / "bass.th").read_bytes() == content

    def test_a_server_that_always_stops_at_the_same_place_is_given_up(
        self, world: World, content: bytes
    ) -> None:
        world.publish("bass.th", content)
        world.server.knows_ranges = False
        world.server.always = Fault(cut=100_000)
        assert "try again later" in world.refused()
        assert len(world.server.asked) == 5

    def test_a_silent_server(
        self, world: World, content: bytes, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(download, "_TIMEOUT_S", (5.0, 0.1))
        world.publish("bass.th", content)
        world.server.faults = [Fault(stall=True)]
        world.fetch()
        assert (world.folder / "bass.th").read_bytes() == content
        world.publish("mixer.ckpt", b"mixer")
        world.server.always = Fault(stall=True)
        assert "mixer.ckpt: timed out;" in world.refused()

    def test_nobody_listens(self, world: World) -> None:
        with socket.socket() as closed:
            closed.bind(("127.0.0.1", 0))
            url = f"http://127.0.0.1:{closed.getsockname()[1]}/bass.th"
            world.list_file("bass.th", b"bass", f'url = "{url}"')
            line = world.refused()
        assert line.startswith(f"cannot fetch {url}: Connection refused; try again later")
        assert line.endswith(f"put the file at {world.folder / 'bass.th'} by hand")

    @pytest.mark.parametrize("status", [401, 403, 404, 410])
    def test_a_no_is_final(self, world: World, status: int) -> None:
        world.publish("bass.th", b"bass")
        world.server.always = Fault(status)
        assert f"the server says {status}" in world.refused()
        assert len(world.server.asked) == 1
        assert world.names == set()

    @pytest.mark.parametrize("url", ["nowhere", "http://", "gopher://127.0.0.1/bass.th"])
    def test_addresses_that_are_none(self, world: World, url: str) -> None:
        world.list_file("bass.th", b"bass", f'url = "{url}"')
        assert f"cannot fetch {url}: " in world.refused()
        assert world.waits_s == []

    def test_endless_redirects(self, world: World) -> None:
        world.publish("bass.th", b"bass")
        world.server.always = Fault(302, {"Location": "/published/bass.th"})
        assert "redirects" in world.refused()
        assert world.waits_s == []


class TestWrongFiles:
    """Answers that are not the file."""

    def test_wrong_hash(self, world: World) -> None:
        world.publish("bass.th", b"bass")
        world.server.files["/published/bass.th"] = b"BASS"
        assert re.search(r"bass\.th is not what it should be: its SHA-256 is", world.refused())
        assert world.names == set()
        assert len(world.server.asked) == 1

    def test_another_entrys_file_is_named(self, world: World) -> None:
        world.publish("bass.th", b"bass")
        world.publish("mixer.ckpt", b"mixr")
        world.server.files["/published/bass.th"] = b"mixr"
        assert "this is one's mixer.ckpt" in world.refused()

    def test_another_length_is_refused_before_it_is_fetched(
        self, world: World, content: bytes
    ) -> None:
        world.publish("bass.th", content)
        world.server.files["/published/bass.th"] = content + b"!"
        assert f"it has {SIZE + 1} bytes instead of {SIZE}" in world.refused()
        assert world.names == set()

    @pytest.mark.parametrize("surplus", [-1, 1])
    def test_a_wrong_content_length(self, world: World, content: bytes, surplus: int) -> None:
        world.publish("bass.th", content)
        world.server.always = Fault(claim=SIZE + surplus)
        assert f"it has {SIZE + surplus} bytes instead of {SIZE}" in world.refused()
        assert world.names == set()

    def test_a_content_length_that_is_too_long_where_the_size_is_unknown(
        self, world: World, content: bytes
    ) -> None:
        world.publish("bass.th", content, size=False)
        world.server.faults = [Fault(claim=SIZE + 1)]
        world.fetch()
        assert (world.folder / "bass.th").read_bytes() == content

    def test_a_content_length_that_is_too_short_where_the_size_is_unknown(
        self, world: World, content: bytes
    ) -> None:
        world.publish("bass.th", content, size=False)
        world.server.always = Fault(claim=SIZE - 1)
        assert "SHA-256" in world.refused()
        assert world.names == set()


class TestResume:
    """Going on where an earlier fetch was stopped."""

    def test_ctrl_c_leaves_a_part_that_is_taken_up(self, world: World, content: bytes) -> None:
        world.publish("bass.th", content)

        def interrupt(_name: str, done: int, _total: int | None) -> None:
            if done > SIZE // 2:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            fetch("one", world.models, progress=interrupt, manifest=world.manifest)
        assert world.names == {".bass.th.part"}
        have = (world.folder / ".bass.th.part").stat().st_size
        assert SIZE // 2 < have < SIZE

        world.fetch()
        assert world.server.asked[-1] == ("/published/bass.th", f"bytes={have}-")
        assert world.seen[0] == ("bass.th", have, SIZE)
        assert (world.folder / "bass.th").read_bytes() == content
        assert world.names == {"bass.th"}

    @pytest.mark.parametrize("size", [True, False])
    def test_a_part_that_was_whole_already(self, world: World, content: bytes, size: bool) -> None:
        world.publish("bass.th", content, size=size)
        world.leave_part("bass.th", content)
        world.fetch()
        assert (world.folder / "bass.th").read_bytes() == content
        assert world.seen == []

    @pytest.mark.parametrize("size", [True, False])
    @pytest.mark.parametrize("length", [10, SIZE, SIZE + 10])
    @pytest.mark.parametrize("knows_ranges", [True, False])
    def test_the_part_of_another_file_is_dropped(
        self, world: World, content: bytes, length: int, size: bool, knows_ranges: bool
    ) -> None:
        world.publish("bass.th", content, size=size)
        world.server.knows_ranges = knows_ranges
        world.leave_part("bass.th", b"x" * length)
        world.fetch()
        assert (world.folder / "bass.th").read_bytes() == content
        assert world.names == {"bass.th"}

    @pytest.mark.parametrize("answer", ["bytes 7-299999/300000", "nonsense"])
    def test_a_range_that_was_not_asked_for_is_not_believed(
        self, world: World, content: bytes, answer: str
    ) -> None:
        world.publish("bass.th", content)
        world.leave_part("bass.th", content[:1000])
        world.server.faults = [Fault(206, {"Content-Range": answer})]
        world.fetch()
        assert (world.folder / "bass.th").read_bytes() == content
        assert [wanted for _, wanted in world.server.asked] == ["bytes=1000-", None]

    def test_a_file_that_stays_wrong_is_given_up_after_one_whole_download(
        self, world: World, content: bytes
    ) -> None:
        world.publish("bass.th", content)
        world.server.files["/published/bass.th"] = content[::-1]
        world.leave_part("bass.th", content[:1000])
        assert "SHA-256" in world.refused()
        assert [wanted for _, wanted in world.server.asked] == ["bytes=1000-", None]
        assert world.names == set()
