"""What the checks say of this project itself, as its users have it."""

import shutil
from pathlib import Path

import pytest

from my_submission.systems import SYSTEMS
from submitting.challenges import CHALLENGES
from submitting.checks_settings import EXTERNAL_DATA
from submitting.git import Repository
from submitting.preflight import QUICK
from submitting.submission import Submission
from tests.submitting.tree import Tree

PROJECT = Path(__file__).parents[2]

EVERYWHERE = shutil.ignore_patterns(".git", ".venv", ".*_cache", "__pycache__", "*.egg-info")


def is_not_copied(folder: str, names: list[str]) -> set[str]:
    """Leave out what git ignores here as well, so that no gigabytes are copied."""
    found = set(EVERYWHERE(folder, names))
    if Path(folder) == PROJECT:
        found |= {"separated", "evaluator_outputs", "build"}
    elif Path(folder) == PROJECT / "data":
        found |= {"test", "results"}
    elif Path(folder) == PROJECT / "models":
        found |= {name for name in names if Path(folder, name).is_dir()} - {"starter"}
    return found


@pytest.fixture
def project(tmp_path: Path) -> Tree:
    """Give a copy of this project, committed as it is, and an empty remote."""
    tree = Tree(tmp_path)
    shutil.copytree(PROJECT, tree.root, ignore=is_not_copied, symlinks=True)
    tree.bare.mkdir()
    tree.git("init", "--quiet", "--bare", folder=tree.bare)
    tree.git("init", "--quiet")
    tree.commit("all of it")
    tree.git("remote", "add", "aicrowd", str(tree.bare))
    return tree


def test_only_the_author_is_missing_in_a_starter_submission(project: Tree) -> None:
    submission = Submission(
        Repository(project.root), CHALLENGES["mdx21"], "starter", "aicrowd", "first try"
    )
    found = {name: check(submission) for name, check in QUICK.items()}
    assert {name: check.text for name, check in found.items() if check.status != "ok"} == {
        "aicrowd.json": "\"authors\" is ['aicrowd-username']: give a list of AIcrowd user names, "
        "yours"
    }


def test_what_every_system_has_heard_is_known() -> None:
    assert EXTERNAL_DATA.keys() == SYSTEMS.keys()
