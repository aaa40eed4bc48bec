"""The checks of files, of what the image is built from and of the timing, on real repositories."""

import os
import shutil
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from submitting import checks_files, checks_image
from tests.submitting.conftest import Make
from tests.submitting.outcomes import fine, perform, refused, say, warned
from tests.submitting.tree import NETWORK, Tree

WEIGHTS = "models/starter/net.onnx"


def test_weights_that_are_missing_or_wrong(tree: Tree, submission: Make) -> None:
    fine(checks_files.system_weights(submission()))
    tree.write(WEIGHTS, NETWORK[:-1])
    refused(checks_files.system_weights(submission()), "net.onnx: it has 5099999 bytes")
    (tree.root / WEIGHTS).unlink()
    refused(checks_files.system_weights(submission()), "demix weights fetch starter")
    refused(checks_files.system_weights(submission(system="leaderboard_a")), "example.org")


def test_weights_that_git_ignores_are_not_pushed(tree: Tree, submission: Make) -> None:
    tree.write("models/leaderboard_a/bass.onnx", b"weights")
    refused(
        checks_files.system_weights(submission(system="leaderboard_a")),
        "models/leaderboard_a/bass.onnx is not committed: git add -f models/leaderboard_a",
    )
    tree.git("add", "--force", "models")
    tree.git("commit", "--quiet", "--message", "weights")
    warned(checks_files.system_weights(submission(system="leaderboard_a")), "no hash is listed")


@pytest.mark.parametrize("linked", [WEIGHTS, "models/starter"])
def test_symlinked_weights_are_refused(
    tree: Tree, submission: Make, tmp_path: Path, linked: str
) -> None:
    path = tree.root / linked
    path.rename(tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")
    tree.commit("a link")
    refused(
        checks_files.system_weights(submission()),
        f"{linked} is a symbolic link, and git pushes the link only: rm {linked}, cp -r ",
    )


def test_weights_in_a_submodule_are_refused(tree: Tree, submission: Make, tmp_path: Path) -> None:
    other = Tree(tmp_path / "other")
    other.root.mkdir(parents=True)
    other.git("init", "--quiet")
    other.change("net.onnx", NETWORK)
    tree.git("rm", "--quiet", "-r", "models/starter")
    tree.git("submodule", "--quiet", "add", str(other.root), "models/starter")
    tree.git("commit", "--quiet", "--message", "a submodule")
    refused(
        checks_files.system_weights(submission()),
        "models/starter is a submodule, which the grader does not clone",
    )
    warned(checks_files.unrelated_files(submission()), "models/starter")


def test_large_files_outside_of_git_lfs_are_refused(tree: Tree, submission: Make) -> None:
    fine(checks_files.large_file_storage(submission()))
    tree.change("my_submission/big.bin", NETWORK)
    refused(
        checks_files.large_file_storage(submission()),
        "above 5 MB and not in Git LFS: my_submission/big.bin; git lfs migrate import --above=5MB",
    )
    tree.git("rm", "--quiet", "my_submission/big.bin")
    tree.git("commit", "--quiet", "--message", "gone")
    refused(
        checks_files.large_file_storage(submission()),
        "above 5 MB in a commit that would be pushed: my_submission/big.bin",
    )
    tree.git("lfs", "migrate", "import", "--above=5MB", "--yes")
    fine(checks_files.large_file_storage(submission()))


def test_files_of_git_lfs_must_be_on_this_machine(tree: Tree, submission: Make) -> None:
    shutil.rmtree(tree.root / ".git" / "lfs" / "objects")
    refused(checks_files.large_file_storage(submission()), f"not on this machine: {WEIGHTS}")


def test_files_of_git_lfs_in_earlier_commits_must_be_on_this_machine_too(
    tree: Tree, submission: Make
) -> None:
    objects = tree.root / ".git" / "lfs" / "objects"
    (old,) = (path for path in objects.rglob("*") if path.is_file())
    tree.change(WEIGHTS, NETWORK[::-1])
    fine(checks_files.large_file_storage(submission()))
    old.unlink()
    refused(
        checks_files.large_file_storage(submission()),
        f"of an earlier commit that would be pushed, not on this machine: {WEIGHTS}; "
        "git lfs fetch --all REMOTE",
    )
    tree.git("remote", "add", "origin", "elsewhere")
    refused(checks_files.large_file_storage(submission()), "git lfs fetch --all origin")
    tree.git("push", "--quiet", "--no-verify", "aicrowd", "main")
    fine(checks_files.large_file_storage(submission()))  # nothing of it is pushed again


def test_git_lfs_may_keep_its_files_elsewhere(
    tree: Tree, submission: Make, tmp_path: Path, lines: list[str]
) -> None:
    (tree.root / ".git" / "lfs").rename(tmp_path / "lfs")
    refused(checks_files.large_file_storage(submission()), f"not on this machine: {WEIGHTS}")
    tree.git("config", "lfs.storage", str(tmp_path / "lfs"))
    fine(checks_files.large_file_storage(submission()))
    fine(perform(submission(), lines))


def test_git_must_know_git_lfs(
    tree: Tree, submission: Make, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "config").write_text("[user]\nname = A\nemail = a@example.org\n")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "config"))
    refused(checks_files.large_file_storage(submission()), "git does not know it yet: git lfs inst")
    tree.git("rm", "--quiet", "--force", WEIGHTS)
    tree.git("commit", "--quiet", "--message", "none of it")
    fine(checks_files.large_file_storage(submission()))


def test_git_lfs_must_be_installed(
    submission: Make, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "git").symlink_to(shutil.which("git") or "")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    if shutil.which("git-lfs", path=os.defpath):
        # git looks among its own programs too, which git-lfs is not one of.
        monkeypatch.setenv("GIT_EXEC_PATH", str(tmp_path / "bin"))
    refused(checks_files.large_file_storage(submission()), "git-lfs is not installed")


def test_the_size_is_said(submission: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    fine(checks_files.size(submission()))
    assert "5.1 MB in 13 files, 5.1 MB of it in Git LFS" in checks_files.size(submission()).text
    monkeypatch.setattr(checks_files, "LARGE_SUBMISSION", 1_000_000)
    warned(checks_files.size(submission()), "is all of it needed?")


def test_room_is_looked_for_where_the_clone_and_the_environment_go(
    submission: Make, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("scratch", "cache"):
        (tmp_path / name).mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "scratch"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    large = {tmp_path / "scratch"}

    def disk_usage(folder: Path) -> SimpleNamespace:
        return SimpleNamespace(free=10**12 if folder in large else 10**6)

    monkeypatch.setattr("shutil.disk_usage", disk_usage)
    check = checks_files.size(submission())
    warned(check, f"1.0 MB are free in {tmp_path / 'cache'}", "a fresh environment may take 2.5 GB")
    assert "clone" not in check.text
    large = {tmp_path / "cache"}
    warned(checks_files.size(submission()), f"{tmp_path / 'scratch'}, where the clone of a")


def test_large_files_that_are_no_weights_of_the_system(tree: Tree, submission: Make) -> None:
    fine(checks_files.unrelated_files(submission()))
    warned(checks_files.unrelated_files(submission(system="leaderboard_a")), "starter")
    tree.change("data/songs/a.flac", NETWORK)
    fine(checks_files.unrelated_files(submission()))
    tree.change("musdb.zip", NETWORK)
    refused(checks_files.unrelated_files(submission()), "musdb.zip; git rm --cached")


# The image.


def test_packages_of_programs_and_libraries_must_be_listed(tree: Tree, submission: Make) -> None:
    fine(checks_image.apt(submission()))
    tree.change("my_submission/decode.py", 'import soundfile\nCOMMAND = ["ffmpeg", "-i"]\n')
    refused(
        checks_image.apt(submission()),
        "libsndfile1 is missing, for soundfile (my_submission/decode.py:1)",
        "ffmpeg is missing, for ffmpeg (my_submission/decode.py:2): add a line ffmpeg",
    )
    tree.change("apt.txt", "# programs\nffmpeg=7:5.1\nlibsndfile1\n")
    fine(checks_image.apt(submission()))
    tree.change("apt.txt", "ffmpeg\n")
    warned(checks_image.apt(submission()), "libsndfile1 is missing", "unless something else")
    tree.change("apt.txt", "ffmpeg libsndfile1 --force\n")
    refused(checks_image.apt(submission()), "--force: no names of Debian packages")


def test_every_import_must_be_required(tree: Tree, submission: Make) -> None:
    tree.change(
        "my_submission/more.py",
        "from __future__ import annotations\n"
        "import json, evaluator_of_ours.x\n"
        "def late():\n    import numpy.linalg\n"
        "try:\n    import cupy\nexcept ImportError:\n    cupy = None\n",
    )
    tree.change("evaluator_of_ours/x.py", "")
    refused(
        checks_image.requirements(submission(), say),
        "its environment has no numpy.linalg (my_submission/more.py:4): add what provides it",
        "does without cupy (my_submission/more.py:6)",
    )
    tree.change("my_submission/more.py", "import json\n")
    fine(checks_image.requirements(submission(), say))


def test_requirements_without_versions_are_a_warning(
    tree: Tree, submission: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    tree.change("requirements.txt", "numpy>=1\n")
    monkeypatch.setattr(checks_image, "fresh_environment", lambda *_: Path(sys.executable))
    warned(checks_image.requirements(submission(), say), "without a version: numpy; the grader")


def test_requirements_that_cannot_be_installed(tree: Tree, submission: Make) -> None:
    tree.change("requirements.txt", "no-such-package-anywhere==1.0\n")
    refused(
        checks_image.requirements(submission(), say), "pip failed: ", "no-such-package-anywhere"
    )
