"""Listing files that this repository made anew."""

from pathlib import Path

import pytest

from my_submission import weights
from my_submission.errors import DemixError
from training.listing import update_manifest

from .listed import sha, states


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
        update_manifest("ours", made / "ours", manifest)
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
        update_manifest("ours", made / "ours", manifest)
        once = manifest.read_text(encoding="utf-8")
        assert "# Made here." in once
        assert "# of this repository" in once
        update_manifest("ours", made / "ours", manifest)
        assert manifest.read_text(encoding="utf-8") == once

    def test_a_missing_file_changes_nothing(self, made: Path, manifest: Path) -> None:
        before = manifest.read_text(encoding="utf-8")
        (made / "ours" / "mixer.ckpt").unlink()
        with pytest.raises(DemixError, match=r"mixer\.ckpt"):
            update_manifest("ours", made / "ours", manifest)
        assert manifest.read_text(encoding="utf-8") == before

    def test_headers_in_another_form_are_an_error(self, made: Path, manifest: Path) -> None:
        text = manifest.read_text(encoding="utf-8").replace('[ours."mixer', '[ "ours"."mixer')
        manifest.write_text(text, encoding="utf-8")
        with pytest.raises(DemixError, match="has no line"):
            update_manifest("ours", made / "ours", manifest)

    def test_a_folder_that_cannot_be_written_is_one_error(self, made: Path, manifest: Path) -> None:
        (manifest.parent / f".{manifest.name}.part").mkdir()
        with pytest.raises(DemixError, match=r"cannot write .*Is a directory"):
            update_manifest("ours", made / "ours", manifest)
