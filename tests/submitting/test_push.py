"""The push: what a remote may do to it, and that nothing is half-done then."""

import os
from pathlib import Path

import pytest

from my_submission.errors import DemixError
from submitting.git import GitError, Repository
from submitting.push import push
from submitting.submission import Submission
from tests.demix_command import Run
from tests.submitting.conftest import Make
from tests.submitting.tree import Tree

TAG = "submission-first-try"
TAG_REF = f"refs/tags/{TAG}"
SUBMIT = ("submit", "first try", "-n", "starter")


def test_a_rejected_push_leaves_nothing_and_may_be_repeated(
    tree: Tree, demix: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    hook = tree.hook("pre-receive", "echo no room for you >&2; exit 1")
    assert demix(*SUBMIT) == 1
    assert "aicrowd rejected the push: no room for you." in capsys.readouterr().err
    assert tree.remote_refs() == {}
    assert tree.git("tag") == ""
    hook.unlink()
    assert demix(*SUBMIT) == 0
    assert TAG_REF in tree.remote_refs()


def test_a_tag_that_alone_is_rejected_takes_the_branch_with_it(tree: Tree, demix: Run) -> None:
    tree.hook("update", 'case "$1" in refs/tags/*) exit 1;; esac')
    assert demix(*SUBMIT) == 1
    assert tree.remote_refs() == {}


def test_a_remote_without_git_lfs_gets_nothing(
    tree: Tree, demix: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    tree.git("config", "lfs.url", "http://127.0.0.1:9/no-lfs-here")
    assert demix(*SUBMIT) == 1
    errors = capsys.readouterr().err
    assert "aicrowd did not take the files of Git LFS" in errors
    assert "run the same command again" in errors
    assert tree.remote_refs() == {}
    assert tree.git("tag") == ""
    tree.git("config", "--unset", "lfs.url")
    assert demix(*SUBMIT) == 0


def test_an_interrupted_push_leaves_nothing_and_may_be_repeated(
    tree: Tree, demix: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    hook = tree.hook("pre-push", f"kill -INT {os.getpid()}; exec sleep 5", remote=False)
    assert demix(*SUBMIT) == 130
    assert capsys.readouterr().err.endswith("error: interrupted\n")
    assert tree.remote_refs() == {}
    assert tree.git("tag") == ""
    hook.unlink()
    assert demix(*SUBMIT) == 0


def test_a_push_of_which_only_the_answer_is_lost_has_succeeded(
    tree: Tree, demix: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = Repository.text

    def lose(repository: Repository, *arguments: str, given: str | None = None) -> str:
        done = run(repository, *arguments, given=given)
        if arguments[0] == "push":
            raise GitError("push", "fatal: the remote end hung up unexpectedly")
        return done

    monkeypatch.setattr(Repository, "text", lose)
    assert demix(*SUBMIT) == 0
    monkeypatch.undo()
    assert tree.git("rev-parse", TAG) == tree.git("rev-parse", TAG, folder=tree.bare)


def test_the_tag_that_the_remote_got_from_elsewhere_is_taken(
    tree: Tree, demix: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = Repository.text

    def be_late(repository: Repository, *arguments: str, given: str | None = None) -> str:
        if arguments[0] == "push":
            tree.git("push", "--quiet", str(tree.bare), "main")
            tree.git(
                "tag", "--annotate", "--message", "from elsewhere", TAG, "main", folder=tree.bare
            )
        return run(repository, *arguments, given=given)

    monkeypatch.setattr(Repository, "text", be_late)
    assert demix(*SUBMIT) == 0
    monkeypatch.undo()
    assert tree.git("tag", "--list", "--format=%(contents)", TAG) == "from elsewhere"


@pytest.fixture
def checked(submission: Make) -> Submission:
    """Give a submission whose commit the checks have looked at."""
    made = submission()
    assert made.head
    return made


def other_clone(tree: Tree, folder: Path) -> Tree:
    tree.git("push", "--quiet", "aicrowd", "main")
    other = Tree(folder)
    tree.git("clone", "--quiet", str(tree.bare), str(other.root), folder=tree.root)
    return other


def test_a_branch_that_has_just_been_pushed_to_is_not_overwritten(
    tree: Tree, checked: Submission, tmp_path: Path
) -> None:
    other = other_clone(tree, tmp_path)
    other.change("apt.txt", "sox\n")
    other.git("push", "--quiet", "origin", "main")
    with pytest.raises(DemixError, match="has commits that yours lacks: git pull --rebase"):
        push(checked, "main", "first try\n")
    assert tree.remote_refs() == {"refs/heads/main": other.head}
    assert tree.git("tag") == ""


def test_a_tag_that_has_just_been_pushed_is_not_moved(
    tree: Tree, checked: Submission, tmp_path: Path
) -> None:
    other = other_clone(tree, tmp_path)
    other.git("tag", "submission-first-try", "HEAD")
    other.git("push", "--quiet", "origin", "submission-first-try")
    before = tree.remote_refs()
    tree.change("apt.txt", "sox\n")
    later = Submission(checked.repository, checked.challenge, "starter", "aicrowd", "first try")
    with pytest.raises(DemixError, match="a tag is never moved: describe it otherwise"):
        push(later, "main", "first try\n")
    assert tree.remote_refs() == before


def test_another_commit_than_the_one_that_was_checked_is_not_pushed(
    tree: Tree, checked: Submission
) -> None:
    tree.change("apt.txt", "sox\n")
    with pytest.raises(DemixError, match="another commit was checked out meanwhile"):
        push(checked, "main", "first try\n")
    assert tree.remote_refs() == {}


def test_a_remote_that_is_lost_on_the_way_is_to_be_asked_again(
    tree: Tree, checked: Submission
) -> None:
    away = tree.bare.with_name("away")
    hook = tree.hook("pre-push", f"mv '{tree.bare}' '{away}'; exit 1", remote=False)
    with pytest.raises(DemixError, match="whether it has the tag is not known: run the same"):
        push(checked, "main", "first try\n")
    assert tree.git("tag") == ""
    hook.unlink()
    away.rename(tree.bare)
    push(checked, "main", "first try\n")
    assert tree.remote_refs()[TAG_REF] == checked.head


def test_a_hook_of_the_participants_may_refuse(tree: Tree, checked: Submission) -> None:
    tree.hook("pre-push", "echo tests fail >&2; exit 1", remote=False)
    with pytest.raises(DemixError, match="run the same command again; it has neither branch nor"):
        push(checked, "main", "first try\n")
    assert tree.remote_refs() == {}


def test_a_name_that_was_taken_here_meanwhile_is_said(tree: Tree, checked: Submission) -> None:
    tree.git("tag", "submission-first-try")
    with pytest.raises(DemixError, match="is submitted, but this repository did not take its name"):
        push(checked, "main", "first try\n")
    assert tree.remote_refs()[TAG_REF] == checked.head
