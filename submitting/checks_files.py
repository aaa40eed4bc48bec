"""Checks of the files that are pushed: weights, Git LFS, and what is better not pushed."""

import os
import shutil
from pathlib import Path, PurePosixPath

from my_submission import weights
from my_submission.audio.scratch_space import scratch_folder
from submitting.checks import Check, number, some, to_do, warning, worst
from submitting.contents import SUBMODULE, SYMBOLIC_LINK, is_in, lfs_objects
from submitting.environment import cache_folder
from submitting.git import GitError
from submitting.submission import Submission

LARGE = 5_000_000
"""Bytes above which the challenge wants a file in Git LFS."""

LARGE_SUBMISSION = 10_000_000_000
"""Bytes above which a warning is worth it; no limit is known."""

ENVIRONMENT = 2_500_000_000
"""Bytes of a fresh environment with the CPU's build of torch."""

KNOWN_DATA = ("data/songs/",)
"""Folders whose large files belong to the project."""


def system_weights(submission: Submission) -> Check:
    """Check that the system's weights are the listed ones, and that they are what is pushed."""
    name, system = "weights", submission.system
    statuses = submission.weights
    bad = [status for status in statuses if status.state != "ok"]
    if bad:
        reasons = [f"{status.weight.file}: {status.reason}" for status in bad]
        how = weights.remedy(system, [status.weight for status in bad])
        return to_do(name, f"{system}'s are missing or wrong ({some(reasons)}): {how}")
    folder = f"models/{system}"
    problems = []
    for status in statuses:
        path = f"{folder}/{status.weight.file}"
        obstacle = _obstacle(submission, path)
        if obstacle:
            problems.append(to_do(name, obstacle))
        elif path not in submission.paths:
            problems.append(
                to_do(name, f"{path} is not committed: git add -f {folder}, and git commit")
            )
    unchecked = [status.weight.file for status in statuses if status.reason]
    if unchecked and not problems:
        problems.append(warning(name, f"no hash is listed for {some(unchecked)}: not verified"))
    return worst(
        name, list(dict.fromkeys(problems)), f"{number(len(statuses), 'file')} of {system} verified"
    )


def _obstacle(submission: Submission, path: str) -> str:
    """Say what of a file's path git would push instead of contents; empty where nothing."""
    parts = PurePosixPath(path)
    for part in (parts, *parts.parents):
        file = submission.paths.get(str(part))
        if file is not None and file.mode == SYMBOLIC_LINK:
            target = os.path.realpath(submission.repository.root / part)
            return (
                f"{part} is a symbolic link, and git pushes the link only: "
                f"rm {part}, cp -r {target} {part}, git add -f {part}, and commit"
            )
        if file is not None and file.mode == SUBMODULE:
            return (
                f"{part} is a submodule, which the grader does not clone: git rm --cached {part}, "
                f"rm -rf {part}/.git, git add -f {part}, and commit"
            )
        if (submission.repository.root / part).is_symlink():
            return f"{part} is a symbolic link: put the files themselves there, and commit them"
    return ""


def large_file_storage(submission: Submission) -> Check:
    """Check that Git LFS works here, has every large file, and that git has none."""
    name = "Git LFS"
    try:
        version = submission.repository.line("lfs", "version").split()[0]
    except GitError:
        return to_do(name, "git-lfs is not installed: install it, then git lfs install")
    in_lfs = [file for file in submission.files if file.pointer is not None]
    plain = [file.path for file in submission.files if file.blob_size > LARGE]
    problems = []
    if (in_lfs or plain) and not _is_set_up(submission):
        problems.append(to_do(name, "git does not know it yet: git lfs install, first of all"))
    if plain:
        problems.append(
            to_do(
                name,
                f"above 5 MB and not in Git LFS: {some(plain)}; "
                "git lfs migrate import --above=5MB moves them there",
            )
        )
    sent = [blob.path for blob in submission.outgoing if blob.size > LARGE]
    earlier = sorted(set(sent) - set(plain))
    if earlier:
        problems.append(
            to_do(
                name,
                f"above 5 MB in a commit that would be pushed: {some(earlier)}; "
                "git lfs migrate import --above=5MB rewrites the commits",
            )
        )
    folder = lfs_objects(submission.repository)
    absent = [file.path for file in in_lfs if file.pointer and not is_in(folder, file.pointer)]
    if absent:
        problems.append(to_do(name, f"not on this machine: {some(absent)}; git lfs fetch"))
    now = {file.digest for file in in_lfs}
    lost = [
        blob.path
        for blob, pointer in submission.outgoing_pointers
        if blob.digest not in now and not is_in(folder, pointer)
    ]
    if lost:
        # Git LFS pushes what earlier commits have, too, and fails where it has not got it.
        problems.append(
            to_do(
                name,
                f"of an earlier commit that would be pushed, not on this machine: {some(lost)}; "
                f"git lfs fetch --all {_remotes_to_ask(submission)}",
            )
        )
    return worst(
        name, problems, f"{number(len(in_lfs), 'file')} in it, none above 5 MB outside ({version})"
    )


def _is_set_up(submission: Submission) -> bool:
    try:
        return bool(submission.repository.line("config", "--get", "filter.lfs.clean"))
    except GitError:
        return False


def _remotes_to_ask(submission: Submission) -> str:
    """Give the remotes that may have what this repository lacks: any but the one to push to."""
    others = [name for name in submission.repository.remotes() if name != submission.remote]
    return " or ".join(others) or "REMOTE, the one that has them"


def size(submission: Submission) -> Check:
    """Say how large the submission is."""
    name = "size"
    total = sum(file.size for file in submission.files)
    in_lfs = sum(file.size for file in submission.files if file.pointer is not None)
    text = f"{_amount(total)} in {len(submission.files)} files, {_amount(in_lfs)} of it in Git LFS"
    if total > LARGE_SUBMISSION:
        return warning(name, f"{text}: is all of it needed?")
    problems = []
    for folder, needed, what in (
        (scratch_folder(), 2 * total, "the clone of a rehearsal"),
        (cache_folder(), ENVIRONMENT, "a fresh environment"),
    ):
        free = shutil.disk_usage(_existing(folder)).free
        if free < needed:
            problems.append(
                warning(
                    name,
                    f"{text}: {_amount(free)} are free in {folder}, where {what} may take "
                    f"{_amount(needed)}",
                )
            )
    return worst(name, problems, text)


def _existing(folder: Path) -> Path:
    """Give a folder, or the nearest one around it that is there."""
    return next(place for place in (folder, *folder.parents) if place.is_dir())


def unrelated_files(submission: Submission) -> Check:
    """Check that no large file is pushed that has nothing to do with the system."""
    name = "large files"
    listed = weights.load_manifest(submission.manifest)
    files_of = {
        f"models/{system}/{weight.file}": system for system, of in listed.items() for weight in of
    }
    others, unknown = set(), []
    for file in submission.files:
        if file.size <= LARGE or file.path.startswith(KNOWN_DATA):
            continue
        system = files_of.get(file.path)
        if system is None:
            unknown.append(file.path)
        elif system != submission.system:
            others.add(system)
    problems = []
    if unknown:
        problems.append(
            to_do(
                name,
                f"not weights that models/manifest.toml lists: {some(unknown)}; "
                "git rm --cached, and commit, or list them",
            )
        )
    if others:
        problems.append(
            warning(name, f"weights of other systems: {some(sorted(others))}; git rm -r --cached")
        )
    submodules = [file.path for file in submission.files if file.mode == SUBMODULE]
    if submodules:
        problems.append(
            warning(name, f"submodules, which the grader does not clone: {some(submodules)}")
        )
    return worst(name, problems, f"none but those of {submission.system}")


def _amount(num_bytes: float) -> str:
    for unit in ("kB", "MB"):
        num_bytes /= 1000
        if num_bytes < 1000:
            return f"{num_bytes:.1f} {unit}"
    return f"{num_bytes / 1000:.1f} GB"
