"""Checks of what the challenge reads: entry points, the system's name and ``aicrowd.json``."""

import ast

from my_submission.errors import DemixError
from submitting.checks import Check, ok, some, to_do, warning, worst
from submitting.contents import SUBMODULE, SYMBOLIC_LINK
from submitting.submission import SETTINGS, Submission

USER_CONFIG = "my_submission/user_config.py"
IMAGE_FILES = (SETTINGS, "apt.txt", "requirements.txt")
PLACEHOLDERS = ("aicrowd-username", "your-aicrowd-username", "your-name")
"""What stands in examples of ``aicrowd.json`` where an author's name is to come."""

_EXECUTABLE = "100755"

EXTERNAL_DATA = {
    "starter": True,
    "leaderboard_a": False,
    "leaderboard_b": True,
    "leaderboard_c": True,
    "leaderboard_c_demucs": True,
    "mdx": False,
    "repro_mdx_a": False,
    "repro_mdx_a_hybrid_only": False,
    "repro_mdx_a_time_only": False,
    "mdx_extra": True,
    "htdemucs": True,
    "htdemucs_ft": True,
    "htdemucs_6s": True,
    "hdemucs_mmi": True,
}
"""Whether a system has heard more in training than MUSDB18's train set; yours is not listed."""


def entry_points(submission: Submission) -> Check:
    """Check that all files are there by which the challenge builds and starts a submission."""
    name = "entry points"
    wanted = (*submission.challenge.entry_points, *IMAGE_FILES)
    files = submission.paths
    missing = [path for path in wanted if path not in files]
    not_files = [
        path for path in wanted if path in files and files[path].mode in (SYMBOLIC_LINK, SUBMODULE)
    ]
    problems = []
    if missing:
        problems.append(
            to_do(name, f"not committed: {', '.join(missing)}; git add and git commit them")
        )
    if not_files:
        problems.append(to_do(name, f"no files of their own: {', '.join(not_files)}"))
    script = files.get("run.sh")
    if "run.sh" in wanted and script is not None and script.mode != _EXECUTABLE:
        problems.append(
            to_do(name, "run.sh is not executable: git update-index --chmod=+x run.sh, and commit")
        )
    return worst(name, problems, ", ".join(submission.challenge.entry_points))


def system(submission: Submission) -> Check:
    """Check that the configuration that is pushed names the system that was asked for."""
    name = "system"
    try:
        configured = configured_system(submission)
    except DemixError as error:
        return to_do(name, str(error))
    if configured != submission.system:
        return to_do(
            name,
            f'{USER_CONFIG} names {configured}: write SYSTEM = "{submission.system}" there and '
            f"commit it, or submit -n {configured}",
        )
    return ok(name, f"{USER_CONFIG} names {configured}")


def configured_system(submission: Submission) -> str:
    """Read which system the grader will run, from the source: ``SYSTEM = "NAME"``.

    ``SYSTEM = os.environ.get(...) or "NAME"`` is NAME, because the grader sets no variable for it.

    Raises:
        DemixError: The file does not say.
    """
    path = submission.repository.root / USER_CONFIG
    try:
        tree = ast.parse(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, SyntaxError) as error:
        raise DemixError(f"{USER_CONFIG} cannot be read: {error}") from error
    for node in tree.body:
        if isinstance(node, ast.Assign):
            targets, value = node.targets, node.value
        elif isinstance(node, ast.AnnAssign) and node.value is not None:
            targets, value = [node.target], node.value
        else:
            continue
        if any(isinstance(target, ast.Name) and target.id == "SYSTEM" for target in targets):
            if isinstance(value, ast.BoolOp) and isinstance(value.op, ast.Or):
                value = value.values[-1]
            if isinstance(value, ast.Constant) and isinstance(value.value, str):
                return value.value
    raise DemixError(f'{USER_CONFIG} does not name a system: write SYSTEM = "NAME" there')


def settings(submission: Submission) -> Check:
    """Check ``aicrowd.json`` for the challenge and the system."""
    try:
        found = submission.settings
    except DemixError as error:
        return to_do(SETTINGS, str(error))
    problems = [
        *_ids(submission, found),
        *_people(found),
        *_switches(submission, found),
        *_training_data(submission, found),
    ]
    return worst(SETTINGS, problems, f"for {submission.challenge.name}, by {_names(found)}")


def _names(found: dict[str, object]) -> str:
    authors = found.get("authors")
    return some([str(author) for author in authors]) if isinstance(authors, list) else "nobody"


def _ids(submission: Submission, found: dict[str, object]) -> list[Check]:
    return [
        to_do(
            SETTINGS, f'"{key}" is {found.get(key)!r}: {submission.challenge.name} has "{wanted}"'
        )
        for key, wanted in submission.challenge.ids.items()
        if found.get(key) != wanted
    ]


def _people(found: dict[str, object]) -> list[Check]:
    authors = found.get("authors")
    named = authors if isinstance(authors, list) else []
    problems = []
    if not named or not all(_is_name(author) for author in named):
        problems.append(
            to_do(SETTINGS, f'"authors" is {authors!r}: give a list of AIcrowd user names, yours')
        )
    description = found.get("description")
    if not isinstance(description, str) or not description.strip():
        problems.append(to_do(SETTINGS, '"description" is empty: say what is submitted'))
    return problems


def _is_name(author: object) -> bool:
    return isinstance(author, str) and author.strip() not in ("", *PLACEHOLDERS)


def _switches(submission: Submission, found: dict[str, object]) -> list[Check]:
    """Check what must be true or false; `gpu` also where a challenge does not ask for it."""
    problems = [
        to_do(SETTINGS, f'"{key}" is {found.get(key)!r}: it must be true or false')
        for key in (*submission.challenge.switches, *(["gpu"] if "gpu" in found else []))
        if not isinstance(found.get(key), bool)
    ]
    if "gpu" in submission.challenge.switches and found.get("gpu") is False:
        problems.append(
            warning(SETTINGS, '"gpu" is false: the networks will run on four cores, not on a GPU')
        )
    return problems


def _training_data(submission: Submission, found: dict[str, object]) -> list[Check]:
    name = submission.system
    is_mdx23 = submission.challenge.name == "mdx23"
    # In 2023 every set but the challenge's two own is external, MUSDB18 as well.
    is_known = name in EXTERNAL_DATA
    wanted = True if is_mdx23 and is_known else EXTERNAL_DATA.get(name)
    given = found.get("external_dataset_used")
    problems = []
    if isinstance(given, bool) and wanted is not None and given != wanted:
        text = f'"external_dataset_used" is {str(given).lower()}: {name}'
        if wanted:
            heard = (
                "other songs than the challenge's" if is_mdx23 else "more than MUSDB18's train set"
            )
            problems.append(to_do(SETTINGS, f"{text} has heard {heard}; write true"))
        else:
            problems.append(
                warning(SETTINGS, f"{text} has heard MUSDB18's train set alone, so false would do")
            )
    if isinstance(given, bool) and wanted is None and not given:
        problems.append(
            warning(
                SETTINGS, f"whether {name} has heard other songs than MUSDB18's is yours to know"
            )
        )
    if is_mdx23 and is_known:
        problems += [
            to_do(
                SETTINGS, f'"{key}" is true: {name} was not trained on that data set; write false'
            )
            for key in ("labelnoise", "bleeding")
            if found.get(key) is True
        ]
    return problems
