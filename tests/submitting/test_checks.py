"""The checks of the repository and of what the challenge reads, on real repositories."""

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from submitting import checks_repository, checks_settings
from submitting.git import Repository
from tests.submitting.conftest import Make
from tests.submitting.outcomes import fine, refused, warned
from tests.submitting.tree import SETTINGS, SETTINGS_2023, Tree

# The repository.


def test_a_changed_file_is_refused(tree: Tree, submission: Make) -> None:
    tree.write("predict.py", "print()")
    refused(checks_repository.working_tree(submission()), "not committed: predict.py; git add")


def test_a_new_file_is_refused_unless_it_is_ignored(tree: Tree, submission: Make) -> None:
    tree.write("separated/starter/x.wav", "")
    fine(checks_repository.working_tree(submission()))
    tree.write("Größe.py", "")
    refused(checks_repository.working_tree(submission()), "Größe.py")


def test_a_renamed_file_is_one_change(tree: Tree, submission: Make) -> None:
    tree.git("mv", "predict.py", "p.py")
    refused(checks_repository.working_tree(submission()), "not committed: p.py; ")


def test_a_detached_head_is_refused(tree: Tree, submission: Make) -> None:
    tree.git("checkout", "--quiet", "--detach")
    refused(checks_repository.working_tree(submission()), "the head is detached: git switch -c")


def test_a_shallow_clone_is_refused(tree: Tree, submission: Make, tmp_path: Path) -> None:
    tree.change("apt.txt", "sox\n")
    shallow = Tree(tmp_path / "shallow")
    address = tree.root.as_uri()
    tree.git("clone", "--quiet", "--depth", "1", address, str(shallow.root), folder=tmp_path)
    made = replace(submission(), repository=Repository(shallow.root))
    refused(checks_repository.working_tree(made), "git fetch --unshallow")
    shallow.git("fetch", "--quiet", "--unshallow")
    fine(checks_repository.working_tree(made))


def test_the_remote_is_asked_where_the_push_goes(tree: Tree, submission: Make) -> None:
    tree.git("remote", "set-url", "aicrowd", str(tree.bare.with_name("a mirror of it")))
    refused(checks_repository.remote(submission()), "cannot be reached")
    tree.git("remote", "set-url", "--push", "aicrowd", str(tree.bare))
    fine(checks_repository.remote(submission()))


def test_git_must_know_an_author(
    submission: Make, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    fine(checks_repository.author(submission()))
    (tmp_path / "config").write_text("[user]\nuseConfigOnly = true\n")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "config"))
    monkeypatch.delenv("EMAIL", raising=False)
    refused(checks_repository.author(submission()), "git config user.name")


def test_a_remote_that_is_not_there_is_refused(tree: Tree, submission: Make) -> None:
    refused(
        checks_repository.remote(submission(remote="gitlab")),
        "no remote gitlab (there is aicrowd): git remote add gitlab ADDRESS",
    )
    tree.git("remote", "remove", "aicrowd")
    refused(checks_repository.remote(submission()), "no remote aicrowd (there is none)")


def test_a_remote_that_does_not_answer_is_refused(tree: Tree, submission: Make) -> None:
    shutil.rmtree(tree.bare)
    refused(checks_repository.remote(submission()), "aicrowd cannot be reached (git ls-remote: ")
    warned(checks_repository.tag(submission()), "as far as is known here")


def test_a_branch_that_others_have_pushed_to_is_refused(
    tree: Tree, submission: Make, tmp_path: Path
) -> None:
    tree.git("push", "--quiet", "aicrowd", "main")
    fine(checks_repository.remote(submission()))
    other = Tree(tmp_path / "other")
    tree.git("clone", "--quiet", str(tree.bare), str(other.root), folder=tmp_path)
    other.change("apt.txt", "ffmpeg\n")
    other.git("push", "--quiet", "origin", "main")
    refused(checks_repository.remote(submission()), "git pull --rebase aicrowd main")
    tree.change("apt.txt", "sox\n")
    refused(checks_repository.remote(submission()), "has commits that yours lacks")


# What the challenge reads.


@pytest.mark.parametrize(
    "name", ["predict.py", "run.sh", "my_submission/user_config.py", "requirements.txt"]
)
def test_entry_points_must_be_committed(tree: Tree, submission: Make, name: str) -> None:
    fine(checks_settings.entry_points(submission()))
    tree.git("rm", "--quiet", "--cached", name)
    tree.git("commit", "--quiet", "--message", "less")
    refused(checks_settings.entry_points(submission()), f"not committed: {name}")


def test_entry_points_of_2023(tree: Tree, submission: Make) -> None:
    fine(checks_settings.entry_points(submission(challenge="mdx23")))
    tree.git("rm", "--quiet", "my_submission/aicrowd_wrapper.py")
    tree.git("commit", "--quiet", "--message", "less")
    refused(checks_settings.entry_points(submission(challenge="mdx23")), "aicrowd_wrapper.py")


def test_the_script_must_be_executable(tree: Tree, submission: Make) -> None:
    tree.git("update-index", "--chmod=-x", "run.sh")
    tree.git("commit", "--quiet", "--message", "less")
    refused(checks_settings.entry_points(submission()), "run.sh is not executable")


@pytest.mark.parametrize(
    "line",
    [
        'SYSTEM = "leaderboard_a"',
        'SYSTEM: str = "leaderboard_a"',
        'SYSTEM = os.environ.get("DEMIX_SYSTEM") or "leaderboard_a"',
    ],
)
def test_the_committed_configuration_must_name_the_system(
    tree: Tree, submission: Make, line: str
) -> None:
    fine(checks_settings.system(submission()))
    tree.write("my_submission/user_config.py", f"import os\n{line}\n")
    fine(checks_settings.system(submission(system="leaderboard_a")))
    refused(checks_settings.system(submission()), 'write SYSTEM = "starter" there')


@pytest.mark.parametrize("text", ["", "SYSTEM = name()", "SYSTEM = (", "SYSTEM: str"])
def test_a_configuration_that_names_no_system(tree: Tree, submission: Make, text: str) -> None:
    tree.write("my_submission/user_config.py", text)
    refused(checks_settings.system(submission()), "user_config.py")


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"grader_id": "other"}, "\"grader_id\" is 'other': mdx21 has"),
        ({"challenge_id": None}, '"challenge_id" is None'),
        ({"authors": ["aicrowd-username"]}, '"authors" is'),
        ({"authors": ["somebody", "your-aicrowd-username"]}, '"authors" is'),
        ({"authors": ["your-name "]}, '"authors" is'),
        ({"authors": [""]}, '"authors" is'),
        ({"authors": []}, '"authors" is []'),
        ({"authors": None}, '"authors" is None'),
        ({"authors": [" "]}, '"authors" is'),
        ({"authors": "me"}, "give a list of AIcrowd user names"),
        ({"description": " "}, '"description" is empty'),
        ({"external_dataset_used": None}, "it must be true or false"),
        ({"external_dataset_used": "yes"}, "it must be true or false"),
        ({"gpu": "yes"}, "\"gpu\" is 'yes'"),
    ],
)
def test_what_is_wrong_in_the_settings_is_refused(
    tree: Tree, submission: Make, changed: dict[str, object], told: str
) -> None:
    fine(checks_settings.settings(submission()))
    tree.settings(SETTINGS, **changed)
    refused(checks_settings.settings(submission()), told)


@pytest.mark.parametrize("system", ["starter", "leaderboard_b", "leaderboard_c"])
def test_systems_that_heard_more_must_say_so(tree: Tree, submission: Make, system: str) -> None:
    fine(checks_settings.settings(submission(system=system)))
    tree.settings(external_dataset_used=False)
    refused(checks_settings.settings(submission(system=system)), "write true")


def test_a_heard_nothing_else(tree: Tree, submission: Make) -> None:
    warned(checks_settings.settings(submission(system="leaderboard_a")), "false would do")
    tree.settings(external_dataset_used=False)
    fine(checks_settings.settings(submission(system="leaderboard_a")))


def test_settings_of_2023(tree: Tree, submission: Make) -> None:
    wrong: tuple[tuple[dict[str, object], str], ...] = (
        ({"gpu": None}, '"gpu" is None: it must be true or false'),
        ({"labelnoise": True}, "was not trained on that data set"),
        ({"external_dataset_used": False}, "other songs than the challenge's; write true"),
        ({"bleeding": "no"}, '"bleeding" is'),
    )
    for changed, told in wrong:
        tree.settings(SETTINGS_2023, **changed)
        refused(
            checks_settings.settings(submission(challenge="mdx23", system="leaderboard_a")), told
        )
    tree.settings(SETTINGS_2023, gpu=False)
    warned(checks_settings.settings(submission(challenge="mdx23")), "four cores")
    tree.settings(SETTINGS_2023)
    fine(checks_settings.settings(submission(challenge="mdx23")))


def test_the_example_in_the_documentation_is_refused_until_it_is_edited(
    tree: Tree, submission: Make
) -> None:
    text = Path("docs/submitting.md").read_text()
    (example,) = re.findall(r"(?s)```json\n(.*?)```", text)
    tree.change("aicrowd.json", example)
    asked = {"challenge": "mdx23", "system": "leaderboard_c"}
    check = checks_settings.settings(submission(**asked))
    refused(check, "\"authors\" is ['your-aicrowd-username']: give a list")
    assert ";" not in check.text  # nothing else is wrong with it
    tree.settings({**json.loads(example), "authors": ["somebody"]})
    fine(checks_settings.settings(submission(**asked)))


@pytest.mark.parametrize("text", ["{", "[]", None])
def test_settings_that_are_none(tree: Tree, submission: Make, text: str | None) -> None:
    if text is None:
        (tree.root / "aicrowd.json").unlink()
    else:
        tree.write("aicrowd.json", text)
    refused(checks_settings.settings(submission()), "aicrowd.json")
