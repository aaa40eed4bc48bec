"""Telling right files from missing, wrong and foreign ones."""

from pathlib import Path

import pytest

from my_submission import weights
from my_submission.errors import DemixError

from .listed import BASS, DRUMS, OTHER_DRUMS, sha, states


class TestFolders:
    """Where weights are looked for."""

    def test_argument_before_environment_before_repository(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delenv("DEMIX_MODELS", raising=False)
        assert weights.models_folder() == weights.MODELS
        monkeypatch.setenv("DEMIX_MODELS", "")
        assert weights.models_folder() == weights.MODELS
        monkeypatch.setenv("DEMIX_MODELS", str(tmp_path / "environment"))
        assert weights.models_folder() == tmp_path / "environment"
        assert weights.models_folder(tmp_path / "argument") == tmp_path / "argument"

    def test_home_is_expanded(self) -> None:
        assert weights.models_folder(Path("~/models")) == Path.home() / "models"

    def test_hashes_are_not_checked_on_use(self, models: Path, manifest: Path) -> None:
        (models / "first" / "bass.onnx").write_bytes(b"a network of my own")
        folder = weights.system_folder("first", models, manifest=manifest)
        assert folder == models / "first"

    def test_missing_files_name_the_command_that_fetches_them(
        self, models: Path, manifest: Path
    ) -> None:
        (models / "first" / "drums.th").unlink()
        with pytest.raises(DemixError) as error:
            weights.system_folder("first", models, manifest=manifest)
        assert str(error.value) == (
            f"weights of first are missing in {models / 'first'}: drums.th; "
            f"run `demix weights fetch first --models '{models}'`"
        )

    def test_files_that_only_a_person_gets_are_asked_for_with_source_and_folder(
        self, models: Path, manifest: Path
    ) -> None:
        folder = models / "second"
        by_hand = f"get bass.onnx by hand from the shared folder and put it into {folder}"
        with pytest.raises(DemixError) as error:
            weights.system_folder("second", models, manifest=manifest)
        assert str(error.value) == (
            f"weights of second are missing in {folder}: drums.th, bass.onnx; "
            f"run `demix weights fetch second --models '{models}'`, and {by_hand}"
        )
        folder.mkdir()
        (folder / "drums.th").write_bytes(OTHER_DRUMS)
        with pytest.raises(DemixError) as error:
            weights.system_folder("second", models, manifest=manifest)
        assert str(error.value) == (
            f"weights of second are missing in {folder}: bass.onnx; {by_hand}"
        )

    def test_files_from_several_places_are_told_apart(self, models: Path, manifest: Path) -> None:
        with manifest.open("a", encoding="utf-8") as sink:
            for file in ("mixer.ckpt", "vocals.onnx"):
                sink.write(f'[second."{file}"]\nby_hand = "a friend"\nlicence = "MIT"\n')
        with pytest.raises(
            DemixError,
            match=r"get bass\.onnx by hand from the shared folder and mixer\.ckpt, vocals\.onnx by "
            r"hand from a friend and put them into",
        ):
            weights.system_folder("second", models, manifest=manifest)

    def test_a_system_that_does_without_them_is_named_once_and_only_if_it_does_without_all(
        self, models: Path, manifest: Path
    ) -> None:
        with manifest.open("a", encoding="utf-8") as sink:
            sink.write('[third."a.pt"]\nby_hand = "a friend"\ninstead = "first"\nlicence = "MIT"\n')
            sink.write('[third."b.pt"]\nby_hand = "an enemy"\ninstead = "first"\nlicence = "MIT"\n')
        folder = models / "third"
        a, b = weights.weight_files("third", manifest)
        assert weights.remedy("third", [a], models) == (
            f"get a.pt by hand from a friend and put it into {folder}; first does without it"
        )
        assert weights.remedy("third", [a, b], models) == (
            "get a.pt by hand from a friend and b.pt by hand from an enemy and put them into "
            f"{folder}; first does without them"
        )
        (other,) = (w for w in weights.weight_files("second", manifest) if w.by_hand)
        assert "does without" not in weights.remedy("third", [a, other], models)

    def test_in_brief_files_to_get_by_hand_are_counted(self, models: Path, manifest: Path) -> None:
        drums, bass = weights.weight_files("second", manifest)
        where = f"second --models '{models}'"
        by_hand = ", which says how to get 1 by hand"
        for files, line in (
            ([drums], f"run `demix weights fetch {where}`"),
            ([bass], f"run `demix weights verify {where}`{by_hand}"),
            ([drums, bass], f"run `demix weights fetch {where}`{by_hand}"),
        ):
            assert weights.brief_remedy("second", files, models) == line

    def test_the_command_is_short_for_the_usual_folder(
        self, models: Path, manifest: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("DEMIX_MODELS", str(models))
        (models / "first" / "drums.th").unlink()
        with pytest.raises(DemixError, match=r"run `demix weights fetch first`$"):
            weights.system_folder("first", manifest=manifest)

    def test_lfs_pointers_are_no_weights(self, models: Path, manifest: Path) -> None:
        pointer = models / "first" / "bass.onnx"
        pointer.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n")
        with pytest.raises(DemixError, match=r"Git LFS pointer.*git lfs pull"):
            weights.system_folder("first", models, manifest=manifest)
        state, reason = states("first", models, manifest)["bass.onnx"]
        assert state == "wrong"
        assert "Git LFS pointer" in reason


class TestVerify:
    """Comparing files with the list."""

    def test_right_files(self, models: Path, manifest: Path) -> None:
        expected = {"bass.onnx": ("ok", ""), "drums.th": ("ok", "")}
        assert states("first", models, manifest) == expected

    def test_missing_files_name_their_source(self, models: Path, manifest: Path) -> None:
        assert states("second", models, manifest) == {
            "drums.th": ("missing", "from https://example.org/second/drums.th"),
            "bass.onnx": ("missing", "from the shared folder, by hand"),
        }

    def test_wrong_size_wrong_hash_and_folders(self, models: Path, manifest: Path) -> None:
        (models / "first" / "bass.onnx").write_bytes(BASS[:-1])
        (models / "first" / "drums.th").write_bytes(b"unknown")
        found = states("first", models, manifest)
        assert found["bass.onnx"] == (
            "wrong",
            f"it has {len(BASS) - 1} bytes instead of {len(BASS)}",
        )
        assert found["drums.th"] == (
            "wrong",
            f"its SHA-256 is {sha(b'unknown')} instead of {sha(DRUMS)[:8]}",
        )
        (models / "second" / "drums.th").mkdir(parents=True)
        assert states("second", models, manifest)["drums.th"] == ("wrong", "it is not a file")

    @pytest.mark.parametrize("file", ["bass.onnx", "drums.th"])
    def test_another_systems_file_is_named(self, models: Path, manifest: Path, file: str) -> None:
        (models / "first" / file).write_bytes(OTHER_DRUMS)
        assert states("first", models, manifest)[file] == ("wrong", "this is second's drums.th")

    def test_files_without_a_listed_hash_can_only_be_there(
        self, models: Path, manifest: Path
    ) -> None:
        (models / "second").mkdir()
        (models / "second" / "bass.onnx").write_bytes(b"anything")
        state, reason = states("second", models, manifest)["bass.onnx"]
        assert (state, reason) == ("ok", "no hash is listed to check it against")

    def test_unreadable_files_are_one_error(self, tmp_path: Path) -> None:
        with pytest.raises(DemixError, match=r"cannot read .*Is a directory"):
            weights.sha256_of(tmp_path)


class TestRefuseForeign:
    """Published weights in the wrong place."""

    def test_right_files_and_own_networks_pass(self, models: Path, manifest: Path) -> None:
        weights.refuse_foreign(models / "first" / "bass.onnx", "first", manifest=manifest)
        own = models / "first" / "drums.th"
        own.write_bytes(b"a network of my own")
        weights.refuse_foreign(own, "first", manifest=manifest)

    def test_another_systems_file_is_refused(self, models: Path, manifest: Path) -> None:
        path = models / "first" / "drums.th"
        path.write_bytes(OTHER_DRUMS)
        with pytest.raises(DemixError) as error:
            weights.refuse_foreign(path, "first", manifest=manifest)
        assert str(error.value).startswith(f"{path} is second's drums.th, not first's drums.th:")
        assert "demix weights fetch first" in str(error.value)

    def test_another_file_of_the_same_system_is_refused(self, models: Path, manifest: Path) -> None:
        path = models / "first" / "drums.th"
        path.write_bytes(BASS)
        with pytest.raises(DemixError, match=r"is first's bass\.onnx, not first's drums\.th"):
            weights.refuse_foreign(path, "first", manifest=manifest)

    def test_a_file_that_two_systems_share_is_at_home_in_both(
        self, models: Path, manifest: Path
    ) -> None:
        shared = manifest.read_text(encoding="utf-8").replace(sha(OTHER_DRUMS), sha(DRUMS))
        manifest.write_text(shared, encoding="utf-8")
        for system in ("first", "second"):
            weights.refuse_foreign(models / "first" / "drums.th", system, manifest=manifest)

    def test_no_hashing_where_the_size_already_tells(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        manifest = tmp_path / "sizes.toml"
        manifest.write_text('[a."x"]\nbytes = 5\nsha256 = "00000000"\nlicence = "MIT"\n')
        (tmp_path / "x").write_bytes(b"six by")
        monkeypatch.setattr(weights, "sha256_of", lambda path: pytest.fail(f"hashed {path}"))
        weights.refuse_foreign(tmp_path / "x", "b", manifest=manifest)

    def test_a_shared_file_in_a_wrong_place_has_the_name_that_its_own_system_gives_it(
        self, models: Path, manifest: Path
    ) -> None:
        entry = f'[ours."vocals.th"]\nsha256 = "{sha(OTHER_DRUMS)}"\nlicence = "MIT"\n'
        manifest.write_text(manifest.read_text(encoding="utf-8") + entry, encoding="utf-8")
        (models / "ours").mkdir()
        path = models / "ours" / "drums.th"
        path.write_bytes(OTHER_DRUMS)
        with pytest.raises(DemixError, match=r"is ours's vocals\.th, not ours's drums\.th"):
            weights.refuse_foreign(path, "ours", manifest=manifest)

    def test_missing_file(self, tmp_path: Path, manifest: Path) -> None:
        with pytest.raises(DemixError, match=r"cannot read .*No such file"):
            weights.refuse_foreign(tmp_path / "x", "first", manifest=manifest)
