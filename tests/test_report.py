"""The report's folder: pages, pictures and sound, without a browser."""

import base64
import io
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import soundfile
from PIL import Image

from evaluator.errors import EvaluatorError
from evaluator.report_page.build import write_report
from evaluator.report_page.pictures import scale_of
from evaluator.report_page.sounds import encode
from evaluator.runs import Frame
from evaluator.sound import STEMS
from tests.run_folders import RECORD, RUN, noise, write_json, write_scores, write_sounds

RATE = 8000
NASTY = "a</script><img src=x onerror=alert(1)> & \"b\" 'c'"


class Tags(HTMLParser):
    """Collects a page's elements and its text."""

    def __init__(self, page: Path) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(page.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attributes)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def links(self) -> list[str]:
        values = [
            attributes.get(name)
            for _, attributes in self.tags
            for name in ("href", "src", "srcset")
        ]
        return [value for value in values if value]


@pytest.fixture
def run(tmp_path: Path, rng: np.random.Generator) -> Path:
    """Give a run of a song of two seconds."""
    write_sounds(tmp_path / "run", tmp_path / "data", "a", noise(rng, 2 * RATE), RATE)
    write_scores(tmp_path / "run", "a", 6.0, reference=str(tmp_path / "data" / "a"))
    return tmp_path / "run"


def pieces(folder: Path, number: int) -> dict[str, str]:
    script = (folder / f"piece-{number}.js").read_text()
    found = re.fullmatch(rf"demixPiece\({number}, (.*)\);\n", script)
    assert found
    sounds: dict[str, str] = json.loads(found[1])
    return sounds


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


def test_sound_is_as_long_as_it_was_and_where_it_was(tmp_path: Path) -> None:
    click = np.zeros((12 * RATE, 1))
    click[11 * RATE] = 0.9
    write_sounds(tmp_path / "run", tmp_path / "data", "a", dict.fromkeys(STEMS, click), RATE)
    write_report(tmp_path / "run", tmp_path / "report", references=tmp_path / "data")
    folder = tmp_path / "report" / "songs" / "001"
    # The second piece begins a pad before 10 s, and the song ends at 12 s.
    data = base64.b64decode(pieces(folder, 1)["bass.reference"])
    sound, rate = soundfile.read(io.BytesIO(data))
    assert (rate, len(sound)) == (RATE, round(2.1 * RATE))
    assert abs(int(np.argmax(np.abs(sound))) - 1.1 * RATE) <= 1


@pytest.mark.parametrize("channels", [1, 2])
def test_vorbis_keeps_length_and_channels(rng: np.random.Generator, channels: int) -> None:
    data = encode(rng.uniform(-0.5, 0.5, (44_100, channels)), 44_100)
    sound, rate = soundfile.read(io.BytesIO(data), always_2d=True)
    assert (rate, sound.shape) == (44_100, (44_100, channels))


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
    write_json(run / "run.json", {**RUN, "warning": "it has heard <these> songs"})
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


def test_the_results_of_predict_py_are_enough(run: Path, tmp_path: Path) -> None:
    (run / "a" / "scores.json").unlink()
    page = write_report(run, tmp_path / "report", references=tmp_path / "data")
    assert "no run.json" in Tags(page).text
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


def test_without_references_there_are_estimates(run: Path, tmp_path: Path) -> None:
    write_scores(run, "a", 6.0, reference="/gone")
    page = write_report(run, tmp_path / "report").parent / "songs" / "001.html"
    assert "references are not where they were" in Tags(page).text
    assert pieces(page.parent / "001", 0).keys() == {f"{stem}.estimate" for stem in STEMS}


def test_silence_and_a_few_samples(tmp_path: Path) -> None:
    silence = dict.fromkeys(STEMS, np.zeros((3, 2)))
    write_sounds(tmp_path / "run", tmp_path / "data", "a", silence, RATE)
    page = write_report(tmp_path / "run", tmp_path / "report", references=tmp_path / "data")
    assert pieces(page.parent / "songs" / "001", 0)


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


def test_references_elsewhere(run: Path, tmp_path: Path) -> None:
    (tmp_path / "data").rename(tmp_path / "moved")
    page = write_report(run, tmp_path / "report", references=tmp_path / "moved")
    assert "vocals.reference" in pieces(page.parent / "songs" / "001", 0)
    with pytest.raises(EvaluatorError, match="holds no references of a"):
        write_report(run, tmp_path / "report", references=tmp_path / "run" / "a")


def test_other_rates_are_an_error(run: Path, tmp_path: Path, rng: np.random.Generator) -> None:
    soundfile.write(run / "a" / "bass.wav", rng.uniform(-0.1, 0.1, 100), 16_000)
    with pytest.raises(EvaluatorError, match=r"sample rates \[8000, 16000\]"):
        write_report(run, tmp_path / "report")


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
