"""What a tag carries: its text, its name, and the score that it tells."""

from pathlib import Path

import pytest

from my_submission.errors import DemixError
from submitting.scores import NOT_SCORED, local_score
from submitting.submission import slug
from submitting.tag_message import TagMessage, read_message, write_message
from tests.run_folders import RECORD, RUN, write_json, write_scores

HASHES = {"vocals.onnx": "0123456789abcdef" * 4}

MESSAGE = TagMessage(
    description="first try: with a colon",
    system="leaderboard_b",
    challenge="mdx21",
    weights={"bass.onnx": "ab" * 32, "with space.th": "cd" * 32},
    versions={"python": "3.11.7", "torch": "2.13.0+cpu"},
    timing="430 s of song in 1 s",
    rehearsal="in 2 s: good",
    score="7.37",
)


def test_a_message_can_be_read_again() -> None:
    assert read_message(write_message(MESSAGE)) == MESSAGE
    assert read_message(write_message(TagMessage("x"))) == TagMessage("x")


def test_a_message_stays_one_line_per_fact() -> None:
    odd = TagMessage("first\nSystem: other", score="1\n2")
    assert read_message(write_message(odd)).system == ""
    assert write_message(odd).count("\n") == 3


@pytest.mark.parametrize("text", ["", "by hand", "by hand\n\nSome words.\nNo key: here\n: \n"])
def test_messages_that_people_wrote(text: str) -> None:
    assert read_message(text) == TagMessage(text.partition("\n")[0])


@pytest.mark.parametrize(
    ("description", "expected"),
    [
        ("first try", "first-try"),
        ("  B, v2.1 (fast)! ", "b-v2-1-fast"),
        ("Größe – naïve", "groe-naive"),
        ("x" * 300, "x" * 100),
        ("a..b//c.lock@{1}~^:?*[\\", "a-b-c-lock-1"),
    ],
)
def test_slugs_are_names_that_git_takes(description: str, expected: str) -> None:
    assert slug(description) == expected


@pytest.mark.parametrize("description", ["", " ", "!?", "音楽"])
def test_descriptions_without_a_slug(description: str) -> None:
    with pytest.raises(DemixError, match="no letters or digits"):
        slug(description)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """Give a run of two songs, with the weights' hashes."""
    folder = tmp_path / "separated" / "starter"
    write_json(folder / "run.json", RUN)
    for name, sdr in (("a", 4.0), ("b", 6.0)):
        write_scores(folder, name, sdr)
        for stem in ("bass", "drums", "other", "vocals"):
            (folder / name / f"{stem}.wav").write_bytes(b"")
        scores = folder / name / "scores.json"
        scores.write_text(scores.read_text())  # as after the stems
    return folder


def test_the_score_of_a_run_with_these_weights(run: Path) -> None:
    told = local_score([run.parent / "none", run], "starter", HASHES)
    assert told == (
        "challenge's SDR in dB: bass 4.00, drums 5.00, other 5.00, vocals 5.00, mean 4.75; 2 songs"
    )
    write_scores(run, "a", 4.0, reference="/data/musdb18/test/a")
    assert local_score([run], "starter", HASHES).endswith("; 2 songs of test")


def test_no_score_is_made_up(run: Path, tmp_path: Path) -> None:
    assert local_score([], "starter", HASHES) == NOT_SCORED
    assert local_score([tmp_path / "none"], "starter", HASHES) == NOT_SCORED
    other = {"vocals.onnx": "00" * 32}
    assert local_score([run], "starter", other) == (
        f"{NOT_SCORED} (starter in separated: with other weights)"
    )
    assert local_score([run], "leaderboard_a", HASHES) == (
        f"{NOT_SCORED} (starter in separated: of starter)"
    )
    assert local_score([tmp_path], "starter", HASHES).startswith(NOT_SCORED)
    (run / "a" / "scores.json").write_text("{")
    assert local_score([run], "starter", HASHES).startswith(f"{NOT_SCORED} (")


def test_what_a_score_means_little_for_is_said(run: Path) -> None:
    write_scores(run, "a", 4.0, origin=None, warning="was trained on them")
    write_json(run / "b" / "mixture.budget.json", RECORD)
    told = local_score([run], "starter", HASHES)
    assert "was trained on them (1 of 2 songs)" in told
    assert "made with weights that are not recorded" in told
    assert "not in full quality" in told
