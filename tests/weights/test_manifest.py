"""The list of weights: what is shipped, and reading it."""

import ast
import re
from pathlib import Path

import pytest
from demucs.pretrained import REMOTE_ROOT, ROOT_URL

from my_submission import weights
from my_submission.errors import DemixError

from .listed import BASS, sha


class TestCommittedManifest:
    """The list that is shipped."""

    @pytest.mark.parametrize(
        ("system", "others"),
        [
            ("starter", {"mixer.ckpt"}),
            ("leaderboard_a", {"mixer.ckpt", "demucs-e07c671f.th"}),
            ("leaderboard_b", {"demucs_extra-3646af93.th"}),
        ],
    )
    def test_systems_have_a_network_per_stem_and_what_else_they_need(
        self, system: str, others: set[str]
    ) -> None:
        files = {weight.file for weight in weights.load_manifest()[system]}
        assert files == {"bass.onnx", "drums.onnx", "other.onnx", "vocals.onnx"} | others

    def test_leaderboard_c_is_networks_got_by_hand_and_members_of_demucs(self) -> None:
        listed = weights.load_manifest()
        by_hand = [w.file for w in listed["leaderboard_c"] if w.by_hand is not None]
        assert by_hand == ["vocals.onnx", "bass.pt", "drums.pt", "other.pt"]
        fetched = [w.file for w in listed["leaderboard_c"] if w.by_hand is None]
        assert fetched == [w.file for w in listed["leaderboard_c_demucs"]]
        parts = [*listed["htdemucs_ft"], *listed["hdemucs_mmi"], listed["mdx_extra"][1]]
        assert fetched == [w.file for w in parts]

    def test_who_lacks_the_files_of_leaderboard_c_learns_what_runs_without(
        self, tmp_path: Path
    ) -> None:
        folder = tmp_path / "leaderboard_c"
        folder.mkdir()
        for weight in weights.load_manifest()["leaderboard_c_demucs"]:
            (folder / weight.file).touch()
        with pytest.raises(DemixError) as error:
            weights.system_folder("leaderboard_c", tmp_path)
        line = str(error.value)
        assert "get vocals.onnx, bass.pt, drums.pt, other.pt by hand from https://drive" in line
        assert line.endswith(f"put them into {folder}; leaderboard_c_demucs does without them")
        assert line.count("leaderboard_c_demucs") == 1
        assert "demix weights fetch" not in line

    def test_where_to_get_files_by_hand_is_an_address_and_nothing_else(self) -> None:
        everything = [w for files in weights.load_manifest().values() for w in files]
        places = {weight.by_hand for weight in everything if weight.by_hand is not None}
        assert places
        assert all(re.fullmatch(r"https://[^\s()]+", place) for place in places)

    def test_every_published_file_has_a_hash_and_a_secure_address(self) -> None:
        everything = [w for files in weights.load_manifest().values() for w in files]
        published = [weight for weight in everything if weight.url is not None]
        for weight in published:
            named = re.search(r"-([0-9a-f]{8})\.th$", weight.file)
            assert len(weight.sha256) == 64 or (named and weight.sha256 == named[1])
            assert weight.source.startswith("https://")
        by_hash: dict[str, set[tuple[str, str | None, str]]] = {}
        for weight in published:
            same = by_hash.setdefault(weight.sha256, set())
            same.add((weight.file, weight.url, weight.licence))
        assert all(len(same) == 1 for same in by_hash.values())

    def test_what_is_not_to_be_fetched_is_in_the_repository(self) -> None:
        assert {w.source for w in weights.weight_files("starter")} == {"this repository"}

    def test_the_files_of_the_repository_are_the_listed_ones(self) -> None:
        statuses = weights.verify("starter", weights.MODELS)
        assert {(status.state, status.reason) for status in statuses} == {("ok", "")}


class TestDemucsPackage:
    """The models of the demucs package are listed as the package itself lists them."""

    QUANTISED = frozenset({"mdx_q", "mdx_extra_q"})  # they need diffq: non-commercial licence

    @staticmethod
    def urls() -> dict[str, str]:
        """Give the address of every member of every model, by the member's signature."""
        root, found = "", {}
        for line in (REMOTE_ROOT / "files.txt").read_text(encoding="utf-8").split("\n"):
            if line.startswith("root:"):
                root = line.removeprefix("root:").strip()
            elif line and not line.startswith("#"):
                found[line.partition("-")[0]] = f"{ROOT_URL}{root}{line}"
        return found

    @staticmethod
    def bags() -> dict[str, list[str]]:
        """Give the signatures of every model's members, each once."""
        found = {}
        for path in REMOTE_ROOT.glob("*.yaml"):
            models = re.search(r"^models: (\[.*\])$", path.read_text(encoding="utf-8"), re.M)
            assert models, path
            found[path.stem] = list(dict.fromkeys(ast.literal_eval(models[1])))
        return found

    def test_models(self) -> None:
        own = ["starter", "leaderboard_a", "leaderboard_b", "leaderboard_c", "leaderboard_c_demucs"]
        listed = list(weights.load_manifest())
        assert listed[: len(own)] == own
        assert set(listed[len(own) :]) == self.bags().keys() - self.QUANTISED

    def test_members(self) -> None:
        listed, urls = weights.load_manifest(), self.urls()
        for bag, members in self.bags().items():
            if bag not in self.QUANTISED:
                assert [w.url for w in listed[bag]] == [urls[member] for member in members]
                assert all(w.url and w.url.endswith(f"/{w.file}") for w in listed[bag])

    def test_the_demucs_half_of_leaderboard_c(self) -> None:
        known = set(self.urls().values())
        assert {w.url for w in weights.weight_files("leaderboard_c_demucs")} < known


class TestLoadManifest:
    """Reading a list."""

    def test_fields(self, manifest: Path) -> None:
        listed = weights.load_manifest(manifest)
        assert listed["first"][0] == weights.WeightFile(
            system="first",
            file="bass.onnx",
            bytes=len(BASS),
            sha256=sha(BASS),
            url="https://example.org/zip/first.zip",
            zip_member="bass.onnx",
            by_hand=None,
            instead=None,
            licence="MIT",
        )
        assert listed["second"][1].source == "the shared folder, by hand"

    @pytest.mark.parametrize(
        "entry",
        [
            "[a]\nb = 1",
            '[a."x/y"]\nlicence = "MIT"',
            '[a."x"]',
            '[a."x"]\nlicence = "MIT"\nsha512 = "00"',
            '[a."x"]\nlicence = "MIT"\nbytes = "7"',
            '[a."x"]\nlicence = "MIT"\nsha256 = "0123456"',
            '[a."x"]\nlicence = "MIT"\nsha256 = "zzzzzzzz"',
            '[a."x"]\nlicence = "MIT"\nsha256 = 12345678',
            '[a."x"]\nlicence = "MIT"\nurl = "https://example.org/x"',
            '[a."x"]\nlicence = "MIT"\nzip_member = "x"',
            '[a."x"]\nlicence = "MIT"\nby_hand = "y"\ninstead = 7',
            '[a."x"]\nlicence = "MIT"\nby_hand = "y"\ninstead = "b"',
            '[a."x"]\nlicence = "MIT"\nby_hand = "y"\ninstead = "a"',
            '[a."x"]\nlicence = "MIT"\ninstead = "b"\n[b."x"]\nlicence = "MIT"',
            "a = 1",
            "[a",
        ],
    )
    def test_nonsense_is_refused_in_one_line(self, tmp_path: Path, entry: str) -> None:
        path = tmp_path / "manifest.toml"
        path.write_text(entry, encoding="utf-8")
        with pytest.raises(DemixError, match=re.escape(str(path))) as error:
            weights.load_manifest(path)
        assert "\n" not in str(error.value)

    def test_no_manifest(self, tmp_path: Path) -> None:
        with pytest.raises(DemixError, match="No such file"):
            weights.load_manifest(tmp_path / "nothing.toml")

    def test_unknown_system_names_the_known_ones(self, manifest: Path) -> None:
        with pytest.raises(DemixError, match="'third': choose from first, second, ours"):
            weights.weight_files("third", manifest)
