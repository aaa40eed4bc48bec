"""A check that no password, key or token is about to be pushed."""

import re
from pathlib import PurePosixPath

from submitting.checks import Check, ok, some, to_do
from submitting.contents import Blob, contents_of
from submitting.submission import Submission

LARGEST_TEXT = 1_000_000
"""Bytes up to which contents are searched."""

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
        rb"(?i)wandb[\w.\"' -]{0,20}(?:key|login)\W{1,5}(?:local-)?[0-9a-f]{40}\b"
    ),
    "a password in an address": (
        rb"\b[a-z][a-z0-9+]*://[^\s/:@'\"<>{}$]+:[^\s/:@'\"<>{}$]{6,}@[\w.-]+\.\w"
    ),
}
"""What secrets look like."""

_PATTERNS = {what: re.compile(pattern) for what, pattern in SECRETS.items()}


def secrets(submission: Submission) -> Check:
    """Look through all that a push would send, earlier commits included."""
    name = "secrets"
    now = {file.digest for file in submission.files}
    found: dict[Blob, str] = {
        blob: "by its name" for blob in submission.outgoing if is_secret_name(blob.path)
    }
    # What was pushed before is looked at as well, where it is still there.
    blobs = [
        *submission.outgoing,
        *(Blob(file.digest, file.path, file.blob_size) for file in submission.files),
    ]
    small = [blob for blob in blobs if 0 < blob.size <= LARGEST_TEXT]
    for blob, contents in contents_of(submission.repository, small):
        what = secret_in(contents)
        if what:
            found[blob] = what
    if not found:
        return ok(name, f"none found in {len({blob.digest for blob in small})} texts")
    places = [f"{blob.path} ({what})" for blob, what in found.items()]
    if all(blob.digest in now for blob in found):
        how = "git rm --cached, commit without it"
    else:
        how = "it is in an earlier commit: rewrite that (git rebase -i)"
    return to_do(name, f"{some(places)}; {how}, and if it was ever pushed make a new one")


def is_secret_name(path: str) -> bool:
    """Tell whether a file of this name holds secrets, whatever is in it."""
    return PurePosixPath(path).name in SECRET_NAMES


def secret_in(contents: bytes) -> str:
    """Say what secret there is in a file; empty where none is known."""
    if b"\0" in contents[:8000]:
        return ""
    return next((what for what, pattern in _PATTERNS.items() if pattern.search(contents)), "")
