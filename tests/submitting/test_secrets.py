"""Secrets that are about to be pushed, in real repositories."""

from pathlib import Path

import pytest

from submitting.checks_secrets import secrets
from tests.submitting.conftest import Make
from tests.submitting.outcomes import fine, refused, warned
from tests.submitting.tree import Tree

SECRETS = [
    "-----BEGIN " + "OPENSSH PRIVATE KEY-----",
    "token = gl" + "pat-" + "a1B2" * 5,
    "gh" + "p_" + "a1B2" * 9,
    "AK" + "IA" + "ABCD" * 4,
    "h" + "f_" + "a1B2" * 9,
    "wandb.login(" + f'key="{"0a" * 20}")',
    "WANDB_API_" + "KEY=" + "0a" * 20,
    "git clone https://me:" + "pass" + "word1@example.org/x.git",
]


@pytest.mark.parametrize("text", SECRETS)
def test_secrets_are_refused_also_in_earlier_commits(
    tree: Tree, submission: Make, text: str
) -> None:
    fine(secrets(submission()))
    tree.change("my_submission/notes.py", f'x = """\n{text}\n"""\n')
    refused(secrets(submission()), "my_submission/notes.py (", "git rm --cached")
    tree.change("my_submission/notes.py", "")
    refused(secrets(submission()), "my_submission/notes.py (", "in an earlier commit")
    assert text not in secrets(submission()).text


def test_what_another_repository_of_that_name_had_does_not_count_as_pushed(
    tree: Tree, submission: Make, tmp_path: Path
) -> None:
    tree.change("my_submission/notes.py", SECRETS[1])
    tree.change("my_submission/notes.py", "")
    tree.git("push", "--quiet", "aicrowd", "main")
    fine(secrets(submission()))
    tree.git("init", "--quiet", "--bare", str(tmp_path / "second.git"))
    tree.git("remote", "set-url", "aicrowd", str(tmp_path / "second.git"))
    refused(secrets(submission()), "my_submission/notes.py (a GitLab token); it is in an earlier")
    tree.git("remote", "set-url", "aicrowd", str(tmp_path / "none.git"))
    refused(secrets(submission()), "my_submission/notes.py (a GitLab token)")


@pytest.mark.parametrize("name", [".env", "keys/id_rsa", ".netrc"])
def test_names_of_secrets_are_refused(tree: Tree, submission: Make, name: str) -> None:
    tree.change(name, "nothing known")
    refused(secrets(submission()), f"{name} (by its name)")


def test_a_secret_name_that_was_pushed_before_is_refused_while_it_is_there(
    tree: Tree, submission: Make
) -> None:
    tree.change(".env", "nothing known")
    tree.git("push", "--quiet", "aicrowd", "main")
    refused(secrets(submission()), ".env (by its name); git rm --cached")


def test_large_texts_are_searched_too(tree: Tree, submission: Make) -> None:
    tree.change("notes.txt", "some words\n" * 400_000 + SECRETS[1])
    refused(secrets(submission()), "notes.txt (a GitLab token)")


@pytest.mark.parametrize(
    "text", ["api_" + f"key = '{'x1' * 10}'", '"pass' + f'word": "{"x1" * 10}"']
)
def test_what_may_be_a_secret_is_a_warning(tree: Tree, submission: Make, text: str) -> None:
    tree.change("my_submission/notes.py", text)
    warned(secrets(submission()), "is there a key or password in my_submission/notes.py?")
    tree.change("my_submission/notes.py", text.replace("x1x1", ""))
    tree.git("push", "--quiet", "aicrowd", "main")
    fine(secrets(submission()))


def test_what_only_looks_like_a_secret_passes(tree: Tree, submission: Make) -> None:
    tree.change(
        "README.md",
        "https://user:$PASSWORD@example.org https://example.org/a:b@c glpat- AKIA wandb key\n",
    )
    tree.change("binary", b"\0" + SECRETS[0].encode())
    fine(secrets(submission()))
