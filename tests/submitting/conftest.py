"""Fixtures of the tests of submitting."""

import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from my_submission.budget.ladder import Plan, Step
from my_submission.cli.timing import Forecast
from submitting.challenges import CHALLENGES, ChallengeName
from submitting.git import Repository
from submitting.submission import Submission
from tests.demix_command import Run, demix_command
from tests.submitting.tree import CONFIGURATION, Tree, require_git_lfs

Make = Callable[..., Submission]


@pytest.fixture(scope="session")
def folder_of_all(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a folder for what is made once: git's configuration, environments, a first tree."""
    folder = tmp_path_factory.mktemp("submitting")
    (folder / "gitconfig").write_text(CONFIGURATION)
    return folder


@pytest.fixture(autouse=True)
def no_settings_of_the_users(folder_of_all: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the user's configuration, environments and variables out of it."""
    require_git_lfs()
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(folder_of_all / "gitconfig"))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder_of_all / "cache"))
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    for name in (
        "GIT_DIR",
        "GIT_AUTHOR_NAME",
        "GIT_COMMITTER_NAME",
        "PIP_FIND_LINKS",
        "DEMIX_SYSTEM",
    ):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(autouse=True)
def interrupts() -> Iterator[None]:
    """Have an interrupt raise KeyboardInterrupt also where whoever runs the tests ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(scope="session")
def first_tree(folder_of_all: Path) -> Tree:
    """Give a tree to copy."""
    tree = Tree(folder_of_all / "first")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GIT_CONFIG_GLOBAL", str(folder_of_all / "gitconfig"))
        patch.setenv("GIT_CONFIG_NOSYSTEM", "1")
        tree.make()
    return tree


@pytest.fixture
def tree(first_tree: Tree, tmp_path: Path) -> Tree:
    """Give a small submission, committed, with an empty remote."""
    return first_tree.copy_to(tmp_path / "tree")


def forecast(
    step: Step = "full",
    seconds_per_second: float = 0.1,
    *,
    longest: Step | None = None,
    set_up: float = 1.0,
) -> Forecast:
    """Give what `demix timing` measures, made up."""
    plan = Plan(step, 43.0, 1, 0)
    return Forecast(
        plans={60.0: plan, 240.0: plan, 430.0: Plan(longest or step, 43.0, 1, 0)},
        full_seconds={length: seconds_per_second * length for length in (60.0, 240.0, 430.0)},
        longest_at_full_quality=77,
        set_up_seconds=set_up,
    )


@pytest.fixture(autouse=True)
def quick_timing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no networks be loaded: the tree's weights are none."""
    monkeypatch.setattr("submitting.timing.measure", lambda *_arguments: forecast())


@pytest.fixture
def demix(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> Iterator[Run]:
    """Give a function that runs `demix ARGS` in the tree and returns its exit status."""
    monkeypatch.chdir(tree.root)
    with demix_command() as run:
        yield run


@pytest.fixture
def submission(tree: Tree) -> Make:
    """Give a function that makes the submission of what is checked out in the tree."""

    def make(
        description: str = "first try",
        *,
        challenge: ChallengeName = "mdx21",
        system: str = "starter",
        remote: str = "aicrowd",
    ) -> Submission:
        kind = CHALLENGES[challenge]
        return Submission(Repository(tree.root), kind, system, remote, description)

    return make


@pytest.fixture
def lines() -> list[str]:
    """Give what is said."""
    return []
