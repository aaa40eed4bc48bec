"""`demix submit` and `demix submissions` as a participant meets them."""

import hashlib
import shutil
from pathlib import Path

import pytest

from evaluator.sound import STEMS
from submitting.git import GitError
from submitting.tag_message import read_message
from tests.demix_command import Run
from tests.run_folders import RUN, write_json, write_scores
from tests.submitting.tree import MANIFEST, NETWORK, SETTINGS_2023, Tree, snapshot

TAG = "submission-first-try"
TAG_REF = f"refs/tags/{TAG}"
SUBMIT = ("submit", "first try", "-n", "starter")


def test_a_submission_arrives_whole(tree: Tree, demix: Run, tmp_path: Path) -> None:
    assert demix(*SUBMIT) == 0
    assert tree.remote_refs() == {"refs/heads/main": tree.head, TAG_REF: tree.head}
    assert tree.git("cat-file", "-t", TAG, folder=tree.bare) == "tag"
    assert tree.git("rev-parse", TAG) == tree.git("rev-parse", TAG, folder=tree.bare)
    tree.git("clone", "--quiet", str(tree.bare), str(tmp_path / "grader"), folder=tmp_path)
    assert (tmp_path / "grader" / "models" / "starter" / "net.onnx").read_bytes() == NETWORK
    assert tree.git("status", "--porcelain") == ""


def test_the_tag_tells_what_was_submitted(tree: Tree, demix: Run) -> None:
    assert demix(*SUBMIT) == 0
    message = read_message(tree.git("tag", "--list", "--format=%(contents)", TAG))
    assert (message.description, message.system, message.challenge) == (
        "first try",
        "starter",
        "mdx21",
    )
    assert message.weights["net.onnx"] in MANIFEST
    assert message.versions["python"].startswith("3.")
    assert message.timing.startswith("430 s of song in 43.0 s of 240 s, on ")
    assert "four stems verified" in message.rehearsal
    assert message.score == "not scored"


def test_every_check_is_a_line(demix: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert demix(*SUBMIT, "--dry-run") == 0
    lines = capsys.readouterr().out.split("\n\n")[0].splitlines()
    assert [line.split(":")[0] for line in lines] == [
        f"ok       {name}"
        for name in (
            "working tree",
            "git's author",
            "remote",
            "tag",
            "entry points",
            "system",
            "aicrowd.json",
            "weights",
            "Git LFS",
            "size",
            "large files",
            "secrets",
            "apt.txt",
            "requirements.txt",
            "timing",
            "rehearsal",
        )
    ]


def test_a_dry_run_changes_nothing(
    tree: Tree, demix: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    before = snapshot(tree.root, tree.bare)
    assert demix(*SUBMIT, "--dry-run") == 0
    assert snapshot(tree.root, tree.bare) == before
    out = capsys.readouterr().out
    assert f"{TAG} would be:\n\nfirst try\n\nSystem: starter\n" in out
    assert out.endswith("nothing was pushed: --dry-run\n")


def test_what_is_to_do_is_said_all_at_once_and_nothing_is_changed(
    tree: Tree, demix: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    tree.settings(authors=["aicrowd-username"], external_dataset_used=False)
    tree.change("my_submission/user_config.py", 'SYSTEM = "leaderboard_a"\n')
    tree.write("notes.txt", "not committed")
    before = snapshot(tree.root, tree.bare)
    assert demix(*SUBMIT) == 1
    assert snapshot(tree.root, tree.bare) == before
    out, errors = capsys.readouterr()
    to_do = [line.split(":")[0] for line in out.splitlines() if line.startswith("to do")]
    assert to_do == ["to do    working tree", "to do    system", "to do    aicrowd.json"]
    assert errors.splitlines()[-1] == (
        "error: not submitted, and nothing changed: see to working tree, system, aicrowd.json, "
        "and run the same command again"
    )


def test_a_check_that_cannot_be_made_does_not_keep_the_others_from_being_made(
    tree: Tree, demix: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    tree.change("models/manifest.toml", "[")
    assert demix(*SUBMIT, "--dry-run") == 1
    out = capsys.readouterr().out
    assert out.count("\n") == 15
    assert "to do    weights: cannot read the list of weights" in out
    assert "to do    timing: not measured without weights" in out


def test_weights_that_are_only_not_committed_are_measured_all_the_same(
    tree: Tree, demix: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    tree.git("rm", "--quiet", "--cached", "models/starter/net.onnx")
    tree.git("commit", "--quiet", "--message", "less")
    assert demix(*SUBMIT, "--dry-run") == 1
    out = capsys.readouterr().out
    assert "to do    weights: models/starter/net.onnx is not committed" in out
    assert "ok       timing: 430 s of song" in out


def test_submitting_twice_submits_once(
    tree: Tree, demix: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    assert demix(*SUBMIT) == 0
    before = snapshot(tree.bare)
    capsys.readouterr()
    assert demix(*SUBMIT) == 0
    assert snapshot(tree.bare) == before
    assert capsys.readouterr().out == f"{TAG} is on aicrowd at this commit already: nothing to do\n"


def test_what_is_not_committed_since_is_not_taken_for_submitted(
    tree: Tree, demix: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    assert demix(*SUBMIT) == 0
    assert demix("submit", "first try", "-n", "leaderboard_a") == 1
    assert "names starter: write" in capsys.readouterr().out
    tree.write("apt.txt", "ffmpeg\n")
    assert demix(*SUBMIT) == 1
    assert "not committed: apt.txt" in capsys.readouterr().out


def test_the_hooks_of_git_lfs_do_not_mind(tree: Tree, demix: Run) -> None:
    tree.git("lfs", "install", "--local")
    assert (tree.root / ".git" / "hooks" / "pre-push").is_file()
    assert demix(*SUBMIT) == 0
    assert TAG_REF in tree.remote_refs()


def test_a_tag_is_never_moved(tree: Tree, demix: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert demix(*SUBMIT) == 0
    first = tree.git("rev-parse", TAG)
    tree.change("apt.txt", "ffmpeg\n")
    assert demix(*SUBMIT) == 1
    assert "a tag is never moved: describe this submission otherwise, such as 'first try 2'" in (
        capsys.readouterr().out
    )
    assert tree.git("rev-parse", TAG) == tree.git("rev-parse", TAG, folder=tree.bare) == first
    assert demix("submit", "first try 2", "-n", "starter") == 0
    assert demix("submit", "First Try!", "-n", "starter", "--dry-run") == 1
    assert "such as 'First Try! 3'" in capsys.readouterr().out


def test_a_tag_that_only_this_repository_has_is_taken_too(tree: Tree, demix: Run) -> None:
    tree.git("tag", TAG)
    assert demix(*SUBMIT) == 1
    assert tree.remote_refs() == {}


def test_an_unchanged_commit_is_refused_because_the_challenge_ignores_it(
    demix: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    assert demix(*SUBMIT) == 0
    assert demix("submit", "second try", "-n", "starter") == 1
    assert f"was submitted as {TAG}: the challenge ignores another" in capsys.readouterr().out


def test_a_stop_between_the_push_and_the_tags_name_here_is_made_good(
    tree: Tree, demix: Run
) -> None:
    assert demix(*SUBMIT) == 0
    submitted = tree.git("rev-parse", TAG)
    tree.git("tag", "--delete", TAG)
    assert demix(*SUBMIT) == 0
    assert tree.git("rev-parse", TAG) == submitted


def test_the_challenge_of_2023_is_known_by_its_settings(tree: Tree, demix: Run) -> None:
    tree.settings(SETTINGS_2023)
    assert demix(*SUBMIT) == 0
    message = read_message(tree.git("tag", "--list", "--format=%(contents)", TAG))
    assert message.challenge == "mdx23"
    assert "43.0 s of 675.1 s" in message.timing


def test_a_project_and_a_run_may_be_named(tree: Tree, demix: Run, tmp_path: Path) -> None:
    tree.git("remote", "rename", "aicrowd", "mine")
    run = tmp_path / "a run"
    origin = {**RUN, "weights": {"net.onnx": hashlib.sha256(NETWORK).hexdigest()}}
    write_json(run / "run.json", origin)
    write_scores(run, "a", 4.0, origin=origin)
    for stem in STEMS:
        (run / "a" / f"{stem}.wav").write_bytes(b"")
    write_scores(run, "a", 4.0, origin=origin)  # after the stems
    assert demix(*SUBMIT) == 1
    assert demix(*SUBMIT, "--remote", "mine", "--run", run) == 0
    assert TAG_REF in tree.remote_refs()
    message = read_message(tree.git("tag", "--list", "--format=%(contents)", TAG))
    assert message.score.startswith("challenge's SDR in dB: bass 3.00, ")


def test_a_challenge_that_the_settings_are_not_for_is_refused(
    demix: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    assert demix(*SUBMIT, "--challenge", "mdx23") == 1
    assert "\"challenge_id\" is 'evaluations-api-music-demixing': mdx23 has" in (
        capsys.readouterr().out
    )


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("submit", "first try", "-n", "none_such"), "system 'none_such' is unknown"),
        (("submit", "...", "-n", "starter"), "has no letters or digits of ASCII"),
        (("submit", "", "-n", "starter"), "has no letters or digits of ASCII"),
    ],
)
def test_bad_arguments_are_one_line(
    demix: Run, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], told: str
) -> None:
    assert demix(*arguments) == 1
    out, errors = capsys.readouterr()
    assert out == ""
    assert errors.startswith("error: ")
    assert told in errors
    assert errors.count("\n") == 1


def test_outside_of_a_repository(
    demix: Run,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert demix(*SUBMIT) == 1
    assert "is in no git repository" in capsys.readouterr().err


def test_before_the_first_commit(
    tree: Tree, demix: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.rmtree(tree.root / ".git")
    tree.git("init", "--quiet")
    assert demix(*SUBMIT) == 1
    assert capsys.readouterr().err == (
        "error: nothing is committed yet: git add and git commit first\n"
    )


def test_passwords_of_addresses_are_not_shown() -> None:
    error = GitError("push", "fatal: unable to access 'https://me:word@example.org/x.git/'")
    assert str(error) == "git push: unable to access 'https://example.org/x.git/'"


def test_the_command_is_installed_with_the_package() -> None:
    from importlib.metadata import entry_points

    assert "submitting" in entry_points(group="demix.commands").names
