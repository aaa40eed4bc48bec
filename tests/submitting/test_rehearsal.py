"""The rehearsal: a fresh clone, run as the challenge runs it, on a small submission."""

import os
import re
import socket
import sys
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
import soundfile

from submitting import network_guard, rehearsal
from submitting.environment import fresh_environment
from submitting.rehearsal import write_song
from tests.submitting.conftest import Make
from tests.submitting.outcomes import perform
from tests.submitting.tree import FILES, SEPARATE, SETTINGS_2023, Tree

CONNECT = """
import socket
socket.create_connection(ADDRESS, timeout=5)
"""

SPEAK_TO_ITSELF = """
import socket
server = socket.create_server(("127.0.0.1", 0))
socket.create_connection(("localhost", server.getsockname()[1]), timeout=5).sendall(b"here")
assert server.accept()[0].recv(4) == b"here"
"""


def test_a_good_submission_passes(submission: Make, lines: list[str]) -> None:
    check = perform(submission(), lines)
    assert check.status == "ok", check
    assert check.text.startswith("a fresh clone separated 30 s in ")
    assert check.text.endswith("; four stems verified")


def test_nothing_is_left_of_it(
    submission: Make, lines: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "scratch").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "scratch"))
    perform(submission(), lines)
    assert lines[-1].startswith(f"rehearsal: a fresh clone in {tmp_path / 'scratch'}")
    assert list((tmp_path / "scratch").iterdir()) == []


def test_only_what_is_committed_is_rehearsed(
    tree: Tree, submission: Make, lines: list[str]
) -> None:
    tree.change("predict.py", FILES["predict.py"] + "\nimport my_submission.helper\n")
    tree.write("my_submission/helper.py", "")
    check = perform(submission(), lines)
    assert check.status == "to do"
    assert "No module named 'my_submission.helper'" in check.text
    assert [line for line in lines if line.startswith("  | Traceback")]


def test_weights_come_from_this_repository_whatever_address_is_set(
    tree: Tree, submission: Make, lines: list[str]
) -> None:
    tree.change(".lfsconfig", "[lfs]\n\turl = http://127.0.0.1:9/none\n")
    assert perform(submission(), lines).status == "ok"


def test_a_wish_to_leave_out_the_weights_is_not_heard(
    submission: Make, lines: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_LFS_SKIP_SMUDGE", "1")
    assert perform(submission(), lines).status == "ok"


def test_weights_that_are_not_here_cannot_be_rehearsed(
    tree: Tree, submission: Make, lines: list[str]
) -> None:
    made = submission()
    for path in (tree.root / ".git" / "lfs" / "objects").rglob("*"):
        if path.is_file():
            path.unlink()
    check = perform(made, lines)
    assert check.status == "to do"
    assert "cannot be cloned" in check.text


@pytest.mark.parametrize("unshare", [None, ("false",)])
def test_there_is_no_network(
    tree: Tree,
    submission: Make,
    lines: list[str],
    monkeypatch: pytest.MonkeyPatch,
    unshare: tuple[str, ...] | None,
) -> None:
    if unshare is not None:
        monkeypatch.setattr(network_guard, "UNSHARE", unshare)
    # Of this machine's addresses one that a rehearsal has no need of.
    with socket.create_server(("127.0.0.2", 0)) as server:
        server.setblocking(False)
        connect = CONNECT.replace("ADDRESS", repr(server.getsockname()))
        tree.change("predict.py", connect + FILES["predict.py"])
        check = perform(submission(), lines)
        with pytest.raises(BlockingIOError):
            server.accept()
    assert check.status == "to do"
    if unshare is not None:
        assert "no network for Python (audit hook)" in check.text
        assert check.text.endswith("OSError: there is no network during prediction")
    else:
        assert "no network " in check.text
    tree.change("predict.py", SPEAK_TO_ITSELF + FILES["predict.py"])
    assert perform(submission(), lines).status == "ok"


def test_python_is_kept_off_the_network_where_there_is_no_unshare(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(network_guard, "UNSHARE", ("/no/such/program",))
    guard = network_guard.network_guard(tmp_path)
    assert guard.kind == "no network for Python (audit hook)"


def test_the_challenges_variables_are_set_and_ours_are_not(
    tree: Tree, submission: Make, lines: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("DEMIX_SYSTEM", "DEMIX_MODELS", "HTTPS_PROXY", "https_proxy", "PYTHONPATH"):
        monkeypatch.setenv(name, "set")
    tree.change("predict.py", FILES["predict.py"] + "\nprint(sorted(os.environ.items()))\n1 / 0\n")
    perform(submission(), lines)
    told = " ".join(lines)
    for name, value in (
        ("INFERENCE_SETUP_TIMEOUT_SECONDS", "900"),
        ("INFERENCE_PER_MUSIC_TIMEOUT_SECONDS", "240"),
        ("AICROWD_IS_GRADING", "true"),
    ):
        assert f"('{name}', '{value}')" in told
    for name in ("TEST_DATASET_PATH", "RESULTS_DATASET_PATH"):
        assert f"('{name}', " in told
    for name in ("DEMIX_SYSTEM", "DEMIX_MODELS", "HTTPS_PROXY", "https_proxy"):
        assert f"('{name}', " not in told
    assert "'set')" not in told


@pytest.mark.parametrize("gpu", [False, True])
def test_a_gpu_is_there_only_where_the_challenge_gives_one(
    tree: Tree, submission: Make, lines: list[str], monkeypatch: pytest.MonkeyPatch, gpu: bool
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "7")
    tree.settings(SETTINGS_2023, gpu=gpu)
    tree.change(
        "my_submission/separate.py",
        "import os\nprint('devices', repr(os.environ['CUDA_VISIBLE_DEVICES']))\n1 / 0\n",
    )
    perform(submission(challenge="mdx23"), lines)
    assert f"  | devices {'7' if gpu else ''!r}" in lines


def test_a_submission_of_2023(tree: Tree, submission: Make, lines: list[str]) -> None:
    tree.settings(SETTINGS_2023)
    assert perform(submission(challenge="mdx23"), lines).status == "ok"
    tree.change("my_submission/separate.py", "import none_such\n")
    check = perform(submission(challenge="mdx23"), lines)
    assert (check.status, "No module named 'none_such'" in check.text) == ("to do", True)


@pytest.mark.parametrize(("gpu", "status"), [(False, "to do"), (True, "warning")])
def test_a_song_of_2023_must_be_in_time(
    tree: Tree,
    submission: Make,
    lines: list[str],
    monkeypatch: pytest.MonkeyPatch,
    gpu: bool,
    status: str,
) -> None:
    monkeypatch.setattr(rehearsal, "resolve_device", lambda _device: "cpu")
    tree.settings(SETTINGS_2023, gpu=gpu)
    tree.change("my_submission/separate.py", "import time\n\n" + SEPARATE + "    time.sleep(0.2)\n")
    made = submission(challenge="mdx23")
    assert perform(made, lines).status == "ok"
    slow = replace(made, challenge=replace(made.challenge, song_share=0.001))
    check = perform(slow, lines)
    assert check.status == status
    assert re.search(r"the song alone took \d+\.\d s of 0\.0 s", check.text)


def test_an_interrupt_ends_it_and_leaves_nothing(
    tree: Tree,
    submission: Make,
    lines: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "scratch").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "scratch"))
    tree.change(
        "predict.py",
        f"""
import os, signal, time
from pathlib import Path
Path({str(tmp_path / "pid")!r}).write_text(str(os.getpid()))
os.kill({os.getpid()}, signal.SIGINT)
time.sleep(600)
""",
    )
    with pytest.raises(KeyboardInterrupt):
        perform(submission(), lines)
    assert list((tmp_path / "scratch").iterdir()) == []
    number = int((tmp_path / "pid").read_text())
    # Whoever is to take note of its end may not have done so.
    with suppress(psutil.NoSuchProcess):
        assert psutil.Process(number).status() == psutil.STATUS_ZOMBIE


def test_what_does_not_end_is_ended(
    tree: Tree, submission: Make, lines: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    tree.change("predict.py", "import time\ntime.sleep(600)\n")
    monkeypatch.setattr(rehearsal, "GRACE_SECONDS", 0.0)
    made = submission()
    quick = replace(made, challenge=replace(made.challenge, set_up_seconds=0.5, song_seconds=0.5))
    began = time.monotonic()
    check = perform(quick, lines)
    assert "had not ended after" in check.text
    assert time.monotonic() - began < 300  # of 600


def test_stems_must_be_there(tree: Tree, submission: Make, lines: list[str]) -> None:
    tree.change("predict.py", "print('done')\n")
    check = perform(submission(), lines)
    assert check.status == "to do"
    assert check.text.startswith("it ran, but ")
    assert check.text.endswith("bass.wav is missing")


def test_another_commit_than_the_one_that_was_checked_is_not_rehearsed(
    tree: Tree, submission: Make, lines: list[str]
) -> None:
    made = submission()
    assert made.head == tree.head
    tree.change("predict.py", "print('another')\n")
    assert "there was a commit meanwhile" in perform(made, lines).text


def test_the_song_is_the_same_every_time_and_does_not_clip(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_song(tmp_path / name / "mixture.wav")
    first, second = ((tmp_path / name / "mixture.wav").read_bytes() for name in ("a", "b"))
    assert first == second
    sound, rate = soundfile.read(tmp_path / "a" / "mixture.wav")
    assert (sound.shape, rate) == ((30 * 44_100, 2), 44_100)
    assert 0.1 < abs(sound).max() < 0.99


def test_this_python_has_a_version_that_the_environment_has_too(
    tree: Tree, lines: list[str]
) -> None:
    python = fresh_environment(tree.root / "requirements.txt", lines.append)
    assert python.resolve() == Path(sys.executable).resolve()
