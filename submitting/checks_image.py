"""Checks of what the challenge's image is built from: ``apt.txt`` and ``requirements.txt``."""

import ast
import re
from collections.abc import Callable, Iterator
from pathlib import Path

from my_submission.errors import DemixError
from submitting.checks import Check, some, to_do, warning, worst
from submitting.environment import fresh_environment, unpinned
from submitting.imports import Import, imports_of, missing_modules, own_modules
from submitting.submission import Submission

APT, REQUIREMENTS = "apt.txt", "requirements.txt"

PACKAGES_OF_PROGRAMS = {"ffmpeg": "ffmpeg", "ffprobe": "ffmpeg", "sox": "sox", "lame": "lame"}
"""Debian packages of programs that a submission may start."""

PACKAGES_OF_MODULES = {"soundfile": "libsndfile1"}
"""Debian packages of libraries that Python packages load."""

WITHOUT_SUBSTITUTE = frozenset({"ffmpeg"})
"""Packages that nothing else brings: soundfile's wheels have a libsndfile of their own."""

_PACKAGE_NAME = re.compile(r"[a-z0-9][a-z0-9+.-]+(:[a-z0-9]+)?(=\S+)?")


def python_files(submission: Submission) -> list[Path]:
    """List the Python files that run inside the grader."""
    return [
        Path(path)
        for path in submission.paths
        if path == "predict.py" or (path.startswith("my_submission/") and path.endswith(".py"))
    ]


def _imports(submission: Submission) -> list[Import]:
    own = own_modules(submission.paths)
    return imports_of(submission.repository.root, python_files(submission), own)


def apt(submission: Submission) -> Check:
    """Check that ``apt.txt`` can be read, and names the packages of what is known to be used."""
    root = submission.repository.root
    try:
        text = (root / APT).read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        return to_do(APT, f"cannot be read: {error}")
    lines = [line.partition("#")[0].strip() for line in text.splitlines()]
    names = [name for line in lines for name in line.split()]
    wrong = [name for name in names if not _PACKAGE_NAME.fullmatch(name)]
    problems = []
    if wrong:
        problems.append(to_do(APT, f"{some(wrong)}: no names of Debian packages, one per line"))
    try:
        needed = dict(_needed_packages(submission))
    except DemixError as error:
        return to_do(APT, str(error))
    have = {re.split("[:=]", name)[0] for name in names}
    for package, why in needed.items():
        if package not in have:
            is_needed = package in WITHOUT_SUBSTITUTE
            text = f"{package} is missing, for {why}: add a line {package}"
            problems.append(
                to_do(APT, text)
                if is_needed
                else warning(APT, f"{text}, unless something else brings it")
            )
    return worst(APT, problems, ", ".join(names) or "empty, and nothing known is needed")


def _needed_packages(submission: Submission) -> Iterator[tuple[str, str]]:
    root = submission.repository.root
    files = python_files(submission)
    for found in _imports(submission):
        package = PACKAGES_OF_MODULES.get(found.module.partition(".")[0])
        if package is not None and not found.is_optional:
            yield package, str(found)
    for file in files:
        for node in ast.walk(ast.parse((root / file).read_bytes())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                package = PACKAGES_OF_PROGRAMS.get(node.value)
                if package is not None:
                    yield package, f"{node.value} ({file}:{node.lineno})"


def requirements(submission: Submission, say: Callable[[str], None]) -> Check:
    """Check that a fresh environment has every module that the submission imports."""
    root = submission.repository.root
    try:
        found = _imports(submission)
        python = fresh_environment(root / REQUIREMENTS, say)
        missing = missing_modules(python, [wanted.module for wanted in found])
    except DemixError as error:
        return to_do(REQUIREMENTS, str(error))
    required = [i for i in found if i.module in missing and not i.is_optional]
    optional = [i for i in found if i.module in missing and i.is_optional]
    problems = []
    if required:
        problems.append(
            to_do(
                REQUIREMENTS,
                f"its environment has no {some([str(i) for i in required])}: add what provides it",
            )
        )
    if optional:
        problems.append(
            warning(
                REQUIREMENTS,
                f"does without {some([str(i) for i in optional])}, as the program can",
            )
        )
    loose = unpinned((root / REQUIREMENTS).read_text(encoding="utf-8"))
    if loose:
        problems.append(
            warning(
                REQUIREMENTS,
                f"without a version: {some(loose)}; the grader may get another one than here: ==",
            )
        )
    count = len({wanted.module for wanted in found})
    return worst(REQUIREMENTS, problems, f"a fresh environment has all {count} modules imported")
