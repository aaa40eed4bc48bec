"""`demix submissions` as a participant meets it."""

import json

import pytest

from tests.demix_command import Run
from tests.submitting.tree import Tree

TAG = "submission-first-try"
SUBMIT = ("submit", "first try", "-n", "starter")


def test_submissions_are_listed_with_what_they_carry(
    tree: Tree,
    demix: Run,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert demix("submissions") == 0
    assert capsys.readouterr().out.startswith("no submissions: ")
    assert demix(*SUBMIT) == 0
    tree.change("apt.txt", "ffmpeg\n")
    monkeypatch.setenv("GIT_COMMITTER_DATE", "2051-02-03 04:05 +0000")
    tree.git("tag", "--annotate", "--message", "by hand", "submission-by-hand")
    tree.git("tag", "another-tag")
    capsys.readouterr()

    assert demix("submissions") == 0
    out = capsys.readouterr().out
    assert out.startswith(f"{TAG}  20")
    for line in (
        "  first try\n  system: starter for mdx21\n  score: not scored\n  timing: 430 s of song in",
        "\n  weights: net.onnx ",
        "\n  versions: python 3.",
        f"  {tree.head[:7]}\n  by hand\n",
    ):
        assert line in out
    assert "another-tag" not in out

    assert demix("submissions", "--json") == 0
    first, second = json.loads(capsys.readouterr().out)
    assert (first["tag"], first["message"]["weights"].keys()) == (TAG, {"net.onnx"})
    assert (second["commit"], second["message"]["description"]) == (tree.head, "by hand")
