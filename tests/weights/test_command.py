"""`demix weights` as a user meets it."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from my_submission import weights
from tests.demix_command import Run, demix_command

from .world import World

FOUR = "vocals.onnx, bass.pt, drums.pt, other.pt"


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Iterator[Run]:
    """Give a function that runs `demix weights ARGS` and returns its exit status."""
    monkeypatch.delenv("DEMIX_MODELS", raising=False)
    with demix_command() as run_demix:
        yield partial(run_demix, "weights")


def test_verify_names_every_missing_file_with_its_source(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("verify", "leaderboard_c", "--models", tmp_path) == 1
    out, err = capsys.readouterr()
    title, *lines = out.splitlines()
    folder = tmp_path / "leaderboard_c"
    assert title == f"leaderboard_c in {folder}"
    files = weights.weight_files("leaderboard_c")
    assert lines == [f"  missing: {weight.file}, from {weight.source}" for weight in files]
    assert len(err.splitlines()) == 1
    assert "10 of 10 files are missing or wrong; run `demix weights fetch leaderboard_c" in err
    assert f", and get {FOUR} by hand from https://drive.google.com/" in err
    assert err.endswith(f"put them into {folder}; leaderboard_c_demucs does without them\n")
    assert "leaderboard_c_demucs" not in out


def test_fetch_gets_what_it_can_and_asks_for_the_rest(
    run: Run,
    world: World,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(weights, "MANIFEST", world.manifest)
    world.list_file("bass.pt", b"bass", 'by_hand = "a friend"', 'instead = "two"')
    world.publish("drums-1.th", b"drums")
    world.publish("drums-1.th", b"drums", system="two")
    assert run("fetch", "one", "--models", world.models) == 1
    assert world.names == {"drums-1.th"}
    assert capsys.readouterr().err == (
        "error: what can be fetched of one is there; get bass.pt by hand from a friend and put "
        f"it into {world.folder}; two does without it\n"
    )


def test_a_file_that_a_sibling_has_is_told_like_a_fetched_one(
    run: Run,
    world: World,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(weights, "MANIFEST", world.manifest)
    for system in ("one", "two"):
        world.publish("drums-1.th", b"drums", system=system)
        assert run("fetch", system, "--models", world.models) == 0
        assert capsys.readouterr().out == f"{world.models / system / 'drums-1.th'}\n"
    assert len(world.server.asked) == 1


def test_list_of_one_system_tells_sources_and_licences_once(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "leaderboard_a").mkdir()
    (tmp_path / "leaderboard_a" / "mixer.ckpt").touch()
    assert run("list", "leaderboard_a", "--models", tmp_path) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"leaderboard_a in {tmp_path / 'leaderboard_a'}",
        "  bass.onnx: missing, 29,703,204 bytes",
        "  drums.onnx: missing, 29,703,204 bytes",
        "  other.onnx: missing, 29,703,204 bytes",
        "  vocals.onnx: missing, 29,703,204 bytes",
        "    these 4 from https://zenodo.org/record/5717356/files/onnx_A.zip",
        "  mixer.ckpt: there, 1,208 bytes",
        "    from https://zenodo.org/record/5717356/files/mixer.ckpt",
        "  licence of these 5: as zenodo.org/record/5717356 states (its authors' code: MIT)",
        "  demucs-e07c671f.th: missing",
        "    from https://dl.fbaipublicfiles.com/demucs/v3.0/demucs-e07c671f.th",
        "  licence of this file: for scientific purposes only, not MIT "
        "(github.com/facebookresearch/demucs/issues/327)",
    ]


def test_list_without_a_name_lists_every_file_of_every_system(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("list", "--models", tmp_path) == 0
    lines = capsys.readouterr().out.splitlines()
    listed = weights.load_manifest()
    assert [line for line in lines if not line.startswith(" ")] == [
        f"{system} in {tmp_path / system}" for system in listed
    ]
    assert sum(": missing" in line for line in lines) == sum(map(len, listed.values()))


def test_list_of_an_unknown_system(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("list", "leaderboard_z") == 1
    assert "'leaderboard_z': choose from starter, leaderboard_a" in capsys.readouterr().err
