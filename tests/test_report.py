"""The report's folder: pages, pictures and sound, without a browser."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from evaluator.errors import EvaluatorError
from evaluator.report_page.build import write_report
from evaluator.report_page.index_page import index_page
from evaluator.report_page.pictures import scale_of
from evaluator.run_reading import read_run
from evaluator.runs import Frame
from evaluator.sound import STEMS
from tests.report_folders import RATE, Tags, pieces, run_of_one_song
from tests.run_folders import RECORD, RUN, noise, write_json, write_scores, write_sounds

__all__ = ["run_of_one_song"]

NASTY = "a</script><img src=x onerror=alert(1)> & \"b\" 'c'"


def test_every_link_leads_to_a_file_of_the_report(run: Path, tmp_path: Path) -> None:
    page = write_report(run, tmp_path / "report")
    assert page == tmp_path / "report" / "index.html"
    pages = list(page.parent.rglob("*.html"))
    assert len(pages) == 2
    for path in pages:
        for link in Tags(path).links():
            if link != "data:,":
                assert (path.parent / link).is_file(), link


def test_pictures_and_sound(run: Path, tmp_path: Path) -> None:
    folder = write_report(run, tmp_path / "report").parent / "songs" / "001"
    both = [f"{stem}.{kind}" for stem in STEMS for kind in ("estimate", "reference")]
    names = {"mixture", *both}
    assert {path.stem for path in folder.glob("*.webp")} == names
    for path in folder.glob("*.webp"):
        assert path.stat().st_size < 200_000
        with Image.open(path) as picture:
            assert picture.size == (1200, 180)
            assert np.asarray(picture.convert("RGBA"))[:60, :, 3].min() == 0  # see-through
    assert pieces(folder, 0).keys() == names
    assert not (folder / "piece-1.js").exists()
    assert {path.stem for path in folder.glob("*.png")} == {"sdr", "sdr-narrow"}


def test_any_name_is_only_text(tmp_path: Path, rng: np.random.Generator) -> None:
    names = [NASTY.replace("/", "∕"), "AC/DC & Söhne", "-"]
    for name in names:
        write_sounds(tmp_path / "run", tmp_path / "data", name, noise(rng, 900), RATE)
        write_scores(tmp_path / "run", name, 1.0)
    page = write_report(tmp_path / "run", tmp_path / "report", references=tmp_path / "data")
    pages = [Tags(path) for path in page.parent.rglob("*.html")]
    for tags in pages:
        for tag, attributes in tags.tags:
            assert not [name for name in attributes if name.startswith("on")]
            assert tag != "img" or str(attributes["src"]).startswith("0")
    for name in names:
        assert name in Tags(page).text


def test_what_is_known_of_the_run_is_told(run: Path, tmp_path: Path) -> None:
    warning = "it has heard <these> songs"
    write_scores(run, "a", 6.0, reference=str(tmp_path / "data" / "a"), warning=warning)
    write_json(run / "a" / "mixture.budget.json", RECORD)
    page = write_report(run, tmp_path / "report")
    text = Tags(page).text
    for known in (
        "Abacus <9>",
        "0123456789abcdef" * 4,
        "it has heard <these> songs",
        "0:01–0:05 bass: less <Demucs> (step part); the worker was killed & came back",
        "degraded",
        "5.75",
        "0.50",
        "9.50",
    ):
        assert known in text
    song = page.parent / "songs" / "001.html"
    assert "less <Demucs>" in Tags(song).text
    assert "left-out" in song.read_text()
    for known in (warning, "Abacus <9>", "0123456789abcdef" * 4, "2026-01-02 03:04:05+00:00"):
        assert known in Tags(song).text


def test_what_songs_were_scored_on_is_told_not_what_they_were_separated_from(
    run: Path, tmp_path: Path
) -> None:
    write_scores(run, "b", 6.0, reference="/elsewhere/b")
    page = index_page(read_run(run), dict.fromkeys("ab", "song.html"))
    assert f"{tmp_path / 'data'} (1 song); /elsewhere (1 song)" in page
    assert "/data/songs" not in page  # the origin's


def test_the_number_beside_a_stem_has_its_metrics_name(run: Path, tmp_path: Path) -> None:
    page = write_report(run, tmp_path / "report").parent / "songs" / "001.html"
    assert page.read_text().count('<span class="score">SDR (challenge) 6.00 dB</span>') == 3


def test_songs_of_several_calls_are_told_apart(tmp_path: Path) -> None:
    calls: dict[str, dict[str, Any]] = {
        "a": {},
        "b": {"precision": "fast", "date": "2026-01-03T03:04:05+00:00"},
        "c": {"weights": {"vocals.onnx": "ff"}},
    }
    for name, changes in calls.items():
        warning = "heard" if name == "b" else None
        write_scores(tmp_path, name, 6.0, origin={**RUN, **changes}, warning=warning)
    write_scores(tmp_path, "d", 6.0, origin=None)
    page = index_page(read_run(tmp_path), dict.fromkeys("abcd", "song.html"))
    for known in (
        "How the stems of 1 of 4 songs were made is not known",
        "Precision: exact (2 songs); fast (1 song).",
        f"SHA-256 of vocals.onnx: {'0123456789abcdef' * 4} (2 songs); ff (1 song).",
        "4 songs · 2026-01-02–2026-01-03",
        "heard (1 of 4 songs)",
    ):
        assert known in page
    assert page.count("heard in training") == 1


def test_musevals_scores_are_medians_of_the_songs_that_have_them(tmp_path: Path) -> None:
    limits = {"quarter_mixture": {stem: {"global_sdr": 0.5, "SDR": -2.0} for stem in STEMS}}
    silent = {"quarter_mixture": {stem: {"global_sdr": 0.5, "SDR": -50.0} for stem in STEMS}}
    for name, museval in (("a", None), ("b", 2.0), ("c", 9.0), ("d", 1.0), ("e", None)):
        write_scores(tmp_path, name, 6.0, museval=museval, floor=limits if museval else silent)
    page = index_page(read_run(tmp_path), dict.fromkeys("abcde", "song.html"))
    scores = json.loads(re.findall(r'<script [^>]*id="scores">(.*)</script>', page)[0])
    rows = scores["metrics"]["SDR"]["rows"]
    assert rows["average"] == {
        "label": "median of 3 of 5 songs",
        **dict.fromkeys((*STEMS, "mean"), 2.0),
    }
    assert rows["floor"]["vocals"] == -2
    assert scores["metrics"]["global_sdr"]["rows"]["average"]["label"] == "mean of 5 songs"


def test_the_results_of_predict_py_are_enough(run: Path, tmp_path: Path) -> None:
    (run / "a" / "scores.json").unlink()
    page = write_report(run, tmp_path / "report", references=tmp_path / "data")
    assert "How the stems of 1 song were made is not known: no file tells." in Tags(page).text
    assert "Without scores: a" in Tags(page).text
    assert "SDR of each second" in Tags(page.parent / "songs" / "001.html").text


def test_museval_frames_take_the_place_of_seconds(run: Path, tmp_path: Path) -> None:
    frames = [
        {"time": float(second), "duration": 1.0, "metrics": {"SDR": sdr}}
        for second, sdr in enumerate((3.0, None))
    ]
    targets = [{"name": stem, "frames": frames} for stem in STEMS]
    write_json(run / "museval" / "a.json", {"targets": targets})
    page = write_report(run, tmp_path / "report")
    assert "museval's SDR" in Tags(page.parent / "songs" / "001.html").text


def test_an_earlier_report_is_replaced_and_nothing_else(run: Path, tmp_path: Path) -> None:
    page = write_report(run, tmp_path / "report")
    (page.parent / "old").write_text("")
    write_report(run, tmp_path / "report")
    assert not (page.parent / "old").exists()
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("")
    with pytest.raises(EvaluatorError, match="is no report"):
        write_report(run, tmp_path / "mine")
    assert (tmp_path / "mine" / "notes.txt").is_file()


def test_a_report_appears_whole_or_not_at_all(run: Path, tmp_path: Path) -> None:
    page = write_report(run, tmp_path / "report")
    before = page.read_text()
    (run / "a" / "drums.wav").write_bytes(b"no sound")
    with pytest.raises(EvaluatorError, match=r"drums\.wav cannot be read"):
        write_report(run, tmp_path / "report")
    assert page.read_text() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data", "report", "run"]


@pytest.mark.parametrize(
    ("values", "low", "high"),
    [([3.0, 8.0], -1, 9), ([-300.0, 5.0], -20, 6), ([], -1, 5), ([float("nan")], -1, 5)],
)
def test_the_plots_scale(values: list[float], low: float, high: float) -> None:
    scale = scale_of({"bass": [Frame(0, 1, value) for value in values]})
    assert scale.low == pytest.approx(low, abs=1.5)
    assert scale.high == pytest.approx(high, abs=1.5)
    assert all(scale.low < tick < scale.high for tick in scale.ticks)
    assert 1 <= len(scale.ticks) <= 8
