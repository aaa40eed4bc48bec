"""The checks of files, of what the image is built from and of the timing, on real repositories."""

import os
import shutil
from pathlib import Path

import pytest

from submitting import checks_files, checks_image
from submitting.checks_secrets import secrets
from tests.submitting.conftest import Make
from tests.submitting.outcomes import fine, refused, say, warned
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


def test_large_files_that_are_no_weights_of_the_system(tree: Tree, submission: Make) -> None:
    fine(checks_files.unrelated_files(submission()))
    warned(checks_files.unrelated_files(submission(system="leaderboard_a")), "starter")
    tree.change("data/songs/a.flac", NETWORK)
    fine(checks_files.unrelated_files(submission()))
    tree.change("musdb.zip", NETWORK)
    refused(checks_files.unrelated_files(submission()), "musdb.zip; git rm --cached")


SECRETS = [
    "-----BEGIN " + "OPENSSH PRIVATE KEY-----",
    "token = gl" + "pat-" + "a1B2" * 5,
    "gh" + "p_" + "a1B2" * 9,
    "AK" + "IA" + "ABCD" * 4,
    "h" + "f_" + "a1B2" * 9,
    "WANDB_API_" + "KEY=" + "0a" * 20,
    "git clone https://me:" + "pass" + "word1@example.org/x.git",
]


@pytest.mark.parametrize("text", SECRETS)
def test_secrets_are_refused_also_in_earlier_commits(
    tree: Tree, submission: Make, text: str
) -> None:
    fine(secrets(submission()))
    tree.change("my_submission/notes.py", f'x = """\n{text}\n"""\n')
    refused(secrets(submission()), "my_submission/notes.py (", "git rm --cached")
    tree.change("my_submission/notes.py", "")
    refused(secrets(submission()), "my_submission/notes.py (", "in an earlier commit")
    assert text not in secrets(submission()).text


@pytest.mark.parametrize("name", [".env", "keys/id_rsa", ".netrc"])
def test_names_of_secrets_are_refused(tree: Tree, submission: Make, name: str) -> None:
    tree.change(name, "nothing known")
    refused(secrets(submission()), f"{name} (by its name)")


def test_what_only_looks_like_a_secret_passes(tree: Tree, submission: Make) -> None:
    tree.change(
        "README.md",
        "https://user:$PASSWORD@example.org https://example.org/a:b@c glpat- AKIA wandb key\n",
    )
    tree.change("binary", b"\0" + SECRETS[0].encode())
    fine(secrets(submission()))


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


def test_requirements_that_cannot_be_installed(tree: Tree, submission: Make) -> None:
    tree.change("requirements.txt", "no-such-package-anywhere==1.0\n")
    refused(
        checks_image.requirements(submission(), say), "pip failed: ", "no-such-package-anywhere"
    )
