"""The list of weights: what is shipped, reading it, and listing files that were made anew."""

import re
from pathlib import Path

import pytest

from my_submission import weights
from my_submission.errors import DemixError

from .listed import BASS, sha, states


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

    def test_every_published_file_has_a_hash_and_a_secure_address(self) -> None:
        published = [
            weight
            for system in ("leaderboard_a", "leaderboard_b")
            for weight in weights.load_manifest()[system]
        ]
        for weight in published:
            named = re.search(r"-([0-9a-f]{8})\.th$", weight.file)
            assert len(weight.sha256) == 64 or (named and weight.sha256 == named[1])
            assert weight.source.startswith("https://")
        hashes = [weight.sha256 for weight in published]
        assert len(set(hashes)) == len(hashes)

    def test_what_is_not_to_be_fetched_is_in_the_repository(self) -> None:
        assert {w.source for w in weights.weight_files("starter")} == {"in the repository"}

    def test_the_files_of_the_repository_are_the_listed_ones(self) -> None:
        statuses = weights.verify("starter", weights.MODELS)
        assert {(status.state, status.reason) for status in statuses} == {("ok", "")}


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
            licence="MIT",
        )
        assert listed["second"][1].source == "by hand: the shared folder"

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


class TestUpdateManifest:
    """Listing files that were made anew."""

    @pytest.fixture
    def made(self, models: Path) -> Path:
        """Folder of models with files made here."""
        (models / "ours").mkdir()
        (models / "ours" / "bass.onnx").write_bytes(b"new bass")
        (models / "ours" / "mixer.ckpt").write_bytes(b"new mixer")
        return models

    def test_sizes_and_hashes_are_those_of_the_files(self, made: Path, manifest: Path) -> None:
        before = weights.load_manifest(manifest)
        weights.update_manifest("ours", made / "ours", manifest)
        listed = weights.load_manifest(manifest)
        assert [w.sha256 for w in listed["ours"]] == [sha(b"new bass"), sha(b"new mixer")]
        assert states("ours", made, manifest) == {
            "bass.onnx": ("ok", ""),
            "mixer.ckpt": ("ok", ""),
        }
        assert (listed["first"], listed["second"]) == (before["first"], before["second"])

    def test_comments_stay_and_nothing_changes_the_second_time(
        self, made: Path, manifest: Path
    ) -> None:
        weights.update_manifest("ours", made / "ours", manifest)
        once = manifest.read_text(encoding="utf-8")
        assert "# Made here." in once
        assert "# of this repository" in once
        weights.update_manifest("ours", made / "ours", manifest)
        assert manifest.read_text(encoding="utf-8") == once

    def test_a_missing_file_changes_nothing(self, made: Path, manifest: Path) -> None:
        before = manifest.read_text(encoding="utf-8")
        (made / "ours" / "mixer.ckpt").unlink()
        with pytest.raises(DemixError, match=r"mixer\.ckpt"):
            weights.update_manifest("ours", made / "ours", manifest)
        assert manifest.read_text(encoding="utf-8") == before

    def test_headers_in_another_form_are_an_error(self, made: Path, manifest: Path) -> None:
        text = manifest.read_text(encoding="utf-8").replace('[ours."mixer', '[ "ours"."mixer')
        manifest.write_text(text, encoding="utf-8")
        with pytest.raises(DemixError, match="has no line"):
            weights.update_manifest("ours", made / "ours", manifest)

    def test_a_folder_that_cannot_be_written_is_one_error(self, made: Path, manifest: Path) -> None:
        (manifest.parent / f".{manifest.name}.part").mkdir()
        with pytest.raises(DemixError, match=r"cannot write .*Is a directory"):
            weights.update_manifest("ours", made / "ours", manifest)
