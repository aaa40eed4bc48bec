"""A check that no password, key or token is about to be pushed."""

import re
from pathlib import PurePosixPath

from submitting.checks import Check, some, to_do, warning, worst
from submitting.checks_files import LARGE
from submitting.contents import Blob, contents_of
from submitting.submission import Submission

LARGEST_TEXT = LARGE
"""Bytes up to which contents are searched: what is larger is in Git LFS, or refused."""

SECRET_NAMES = frozenset(
    ".env .netrc .git-credentials .pypirc .pgpass id_rsa id_dsa id_ecdsa id_ed25519".split()
)
"""Names of files that hold secrets whatever is in them."""

SECRETS = {
    "a private key": rb"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----",
    "a GitLab token": rb"\bgl(?:pat|dt|rt|ptt)-[0-9A-Za-z_-]{20,}",
    "a GitHub token": rb"\b(?:gh[pousr]_[0-9A-Za-z]{36,}|github_pat_[0-9A-Za-z_]{50,})",
    "an AWS key": rb"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b",
    "a Hugging Face token": rb"\bhf_[0-9A-Za-z]{34,}\b",
    "a Weights & Biases key": (
        rb"(?i)wandb[\w.,=(\"' -]{0,40}?(?:key|login)\W{1,5}(?:local-)?[0-9a-f]{40}\b"
    ),
    "a password in an address": (
        rb"\b[a-z][a-z0-9+]*://[^\s/:@'\"<>{}$]+:[^\s/:@'\"<>{}$]{6,}@[\w.-]+\.\w"
    ),
}
"""What secrets look like."""

LIKELY = re.compile(
    rb"(?i)(?:api_?key|secret|token|passw\w*)[\"']?\s*[=:]\s*[\"'][\w/+-]{20,}[\"']"
)
"""What may be a secret of a kind that is not known, or a word that only sounds like one."""

_PATTERNS = {what: re.compile(pattern) for what, pattern in SECRETS.items()}


def secrets(submission: Submission) -> Check:
    """Look through all that a push would send, earlier commits included."""
    name = "secrets"
    now = {file.digest for file in submission.files}
    # What was pushed before is looked at as well, where it is still there.
    blobs = [
        *submission.outgoing,
        *(Blob(file.digest, file.path, file.blob_size) for file in submission.files),
    ]
    found = {blob: "by its name" for blob in blobs if is_secret_name(blob.path)}
    likely: list[str] = []
    small = [blob for blob in blobs if 0 < blob.size <= LARGEST_TEXT]
    for blob, contents in contents_of(submission.repository, small):
        what = secret_in(contents)
        if what:
            found[blob] = what
        elif not is_binary(contents) and LIKELY.search(contents):
            likely.append(blob.path)
    problems = []
    if found:
        places = dict.fromkeys(f"{blob.path} ({what})" for blob, what in found.items())
        if all(blob.digest in now for blob in found):
            how = "git rm --cached, commit without it"
        else:
            how = "it is in an earlier commit: rewrite that (git rebase -i)"
        problems.append(
            to_do(name, f"{some(list(places))}; {how}, and if it was ever pushed make a new one")
        )
    if likely:
        problems.append(warning(name, f"is there a key or password in {some(likely)}?"))
    return worst(name, problems, f"none found in {len({blob.digest for blob in small})} texts")


def is_secret_name(path: str) -> bool:
    """Tell whether a file of this name holds secrets, whatever is in it."""
    return PurePosixPath(path).name in SECRET_NAMES


def secret_in(contents: bytes) -> str:
    """Say what secret there is in a file; empty where none is known."""
    if is_binary(contents):
        return ""
    return next((what for what, pattern in _PATTERNS.items() if pattern.search(contents)), "")


def is_binary(contents: bytes) -> bool:
    """Tell whether a file is no text, as git does."""
    return b"\0" in contents[:8000]
