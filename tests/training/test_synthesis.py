"""Songs with exact stems: the same from the same seed, never clipping, whole or not at all."""

import dataclasses
import importlib.util
import json
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import soundfile
from numpy.random import Generator

from my_submission.errors import DemixError
from my_submission.stems import SAMPLE_RATE, STEMS
from training.synthesis import catalogue
from training.synthesis.__main__ import _parser, _requests, main
from training.synthesis.catalogue import FONTS, KITS, VOICES, Split, fonts, kits, voices
from training.synthesis.grains import GrainWords
from training.synthesis.notes import Note
from training.synthesis.singing import Manner, Throat, chart
from training.synthesis.song import SongRequest, make_song, write_song
from training.synthesis.sources import table
from training.synthesis.statistics import measure
from training.synthesis.vocoder import VocoderWords
from training.synthesis.voices import Phrase, bank_path, build_bank, load_voice
from training.synthesis.world import analyse

SECONDS = 2.0


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a small voice bank of the held-out voices; skip where Debian's packages are absent."""
    if importlib.util.find_spec("pyworld") is None:
        pytest.skip("pyworld is not installed: pip install 'demix[synthesis]'")
    try:
        catalogue.require("held_out")
    except DemixError as error:
        pytest.skip(str(error))
    folder = tmp_path_factory.mktemp("voice bank")
    build_bank(voices("held_out"), folder, print, phrases=1)
    return folder


def request(index: int = 0, *, full: bool = True) -> SongRequest:
    """Ask for a very short held-out song."""
    return SongRequest(7, index, "held_out", SECONDS, SECONDS, full)


def read(path: Path) -> npt.NDArray[np.int32]:
    """Read the 16-bit samples of a file as `[2, samples]`."""
    samples, rate = soundfile.read(path, dtype="int16", always_2d=True)
    assert rate == SAMPLE_RATE
    return np.asarray(samples.T, np.int32)


class TestCatalogue:
    """What songs are made of."""

    def test_splits_share_nothing(self) -> None:
        train: Split = "train"
        held_out: Split = "held_out"
        assert not {f.path for f in fonts(train)} & {f.path for f in fonts(held_out)}
        assert not {k.path for k in kits(train)} & {k.path for k in kits(held_out)}
        assert not {v.speaker for v in voices(train)} & {v.speaker for v in voices(held_out)}
        assert len(kits(held_out)) == 4 and len(voices(held_out)) == 3

    def test_names_are_unique(self) -> None:
        for entries in (FONTS, KITS, VOICES):
            assert len({entry.name for entry in entries}) == len(entries)

    def test_missing_packages_are_named_in_one_line(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        lost = [dataclasses.replace(font, path=tmp_path / "absent.sf2") for font in FONTS]
        monkeypatch.setattr(catalogue, "FONTS", tuple(lost))
        monkeypatch.setattr("shutil.which", lambda _: None)
        with pytest.raises(DemixError) as caught:
            catalogue.require("train")
        line = str(caught.value)
        assert "\n" not in line and "apt-get install" in line
        assert all(name in line for name in ("fluid-soundfont-gm", "flite", "festival"))
        assert "csound-soundfont" not in line  # belongs to the other split


class TestSources:
    """What people read about what songs are made of."""

    def test_documentation_lists_every_source_with_its_licence(self) -> None:
        page = Path(__file__).parents[2] / "docs" / "synthesis.md"
        assert table() in page.read_text()


class TestSong:
    """Whole songs, and the command that makes many."""

    def test_same_request_gives_the_same_song_whatever_came_before(self, cache: Path) -> None:
        first, metadata = make_song(request(0), cache)
        make_song(request(1), cache)
        again, metadata_again = make_song(request(0), cache)
        assert metadata == metadata_again
        for stem in STEMS:
            np.testing.assert_array_equal(first[stem], again[stem])

    def test_songs_and_processes_do_not_matter_to_each_other(
        self, cache: Path, tmp_path: Path
    ) -> None:
        options = ["--seed", "7", "--split", "held_out", "--seconds", "2", "--full"]
        options += ["--cache", str(cache), "--mixture"]
        assert main([str(tmp_path), "--songs", "2", "-j", "2", *options]) == 0
        folder = tmp_path / request(1).name
        samples, _ = make_song(request(1), cache)
        for stem in STEMS:
            np.testing.assert_array_equal(read(folder / f"{stem}.flac"), samples[stem])
        total = np.sum(list(samples.values()), axis=0)
        np.testing.assert_array_equal(read(folder / "mixture.flac"), total)
        metadata = json.loads((folder / "metadata.json").read_text())
        assert set(metadata["fonts"]) <= {font.name for font in fonts("held_out")}
        assert set(metadata["kits"]) <= {kit.name for kit in kits("held_out")}
        assert metadata["voices"]

    def test_all_stems_sound_and_none_clips(self, cache: Path) -> None:
        samples, _ = make_song(request(2), cache)
        total = np.sum(list(samples.values()), axis=0)
        for audio in (total, *samples.values()):
            assert audio.shape == (2, int(SECONDS * SAMPLE_RATE))
            assert 100 < np.abs(audio).max() <= 32767

    def test_hours_are_made_of_the_first_songs_of_the_seed(self) -> None:
        def requests(hours: str) -> list[SongRequest]:
            return list(_requests(_parser().parse_args(["out", "--hours", hours, "--seed", "1"])))

        few, many = requests("0.2"), requests("1")
        assert many[: len(few)] == few
        total = sum(song.seconds for song in many)
        assert 3600 <= total < 3600 + 120
        assert all(30 <= song.seconds <= 120 for song in many)
        assert {song.seconds for song in requests("1")} == {song.seconds for song in many}
        assert len({song.name for song in many}) == len(many)

    def test_song_that_is_there_stays(self, cache: Path, tmp_path: Path) -> None:
        folder = tmp_path / request().name
        folder.mkdir()
        assert write_song(request(), tmp_path, cache) == 0
        assert list(tmp_path.rglob("*")) == [folder]

    def test_failure_leaves_nothing(
        self, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fail(*_: object, **__: object) -> None:
            raise OSError("disk full")

        monkeypatch.setattr(soundfile, "write", fail)
        with pytest.raises(DemixError, match=f"{request().name}.*disk full"):
            write_song(request(), tmp_path, cache)
        assert not list(tmp_path.iterdir())

    @pytest.mark.parametrize(
        "options",
        [
            ["--songs", "1", "--seconds", "9-3"],
            ["--songs", "1", "--seconds", "1-inf"],
            ["--songs", "1", "-j", "0"],
            ["--songs", "0"],
            ["--hours", "nan"],
            ["--hours", "-1"],
            ["--songs", "1", "--seed", "-1"],
            ["--songs", "1", "--first", "-1"],
        ],
        ids=" ".join,
    )
    def test_command_says_what_is_wrong_in_one_line(
        self, options: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert main([str(tmp_path / "out"), *options]) == 1
        assert len(capsys.readouterr().err.splitlines()) == 1
        assert not (tmp_path / "out").exists()

    def test_command_says_how_lengths_are_given(self, capsys: pytest.CaptureFixture[str]) -> None:
        with pytest.raises(SystemExit):
            main(["out", "--songs", "1", "--seconds", "abc"])
        line = capsys.readouterr().err.splitlines()[-1]
        assert line.endswith("argument --seconds: 'abc': give it as 30-120, or 15")

    def test_command_says_that_the_folder_is_a_file(
        self, cache: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        out = tmp_path / "out"
        out.touch()
        options = ["--songs", "1", "--split", "held_out", "--cache", str(cache)]
        assert main([str(out), *options]) == 1
        assert str(out) in capsys.readouterr().err


@pytest.fixture(scope="module")
def rows(cache: Path) -> dict[str, dict[str, float]]:
    """Measure three short held-out songs."""
    wanted = [SongRequest(11, index, "held_out", 4.0, 4.0, full=True) for index in range(3)]
    made = [make_song(song, cache)[0] for song in wanted]
    songs = [
        measure({stem: (audio / 32768).astype(np.float32) for stem, audio in stems.items()})
        for stems in made
    ]
    return {
        name: {key: float(np.mean([song[name][key] for song in songs])) for key in row}
        for name, row in songs[0].items()
    }


class TestStatistics:
    """What songs measure, in the ranges that docs/synthesis.md states."""

    def test_levels(self, rows: dict[str, dict[str, float]]) -> None:
        assert -16 < rows["mixture"]["loudness"] < -5
        assert all(-14 < rows[stem]["relative"] < -1 for stem in STEMS)
        assert all(rows[stem]["active"] > 0.6 for stem in STEMS)

    def test_spectra(self, rows: dict[str, dict[str, float]]) -> None:
        assert rows["bass"]["63 Hz"] > -12 and rows["bass"]["4000 Hz"] < -20
        assert rows["other"]["4000 Hz"] > -24 and rows["vocals"]["8000 Hz"] > -32
        assert rows["drums"]["8000 Hz"] > -26

    def test_width(self, rows: dict[str, dict[str, float]]) -> None:
        assert rows["bass"]["side 20"] < -15
        assert rows["other"]["side 120"] > -20

    def test_stems_overlap(self, rows: dict[str, dict[str, float]]) -> None:
        assert all(3 < rows[stem]["mask"] < 14 for stem in STEMS)


class TestVoices:
    """Speech and what is sung from it."""

    @pytest.fixture
    def phrase(self, cache: Path) -> Phrase:
        return load_voice(bank_path(cache, "flite_rms"))[0]

    def test_phrases_have_words(self, cache: Path) -> None:
        for voice in voices("held_out"):
            for phrase in load_voice(bank_path(cache, voice.name)):
                kinds = [phone.kind for phone in phrase.phones]
                assert kinds.count("vowel") >= 4 and "consonant" in kinds
                assert phrase.phones[-1].end <= (len(phrase.analysis.f0) + 1) * 0.005

    def test_bank_that_is_there_stays(self, cache: Path) -> None:
        said: list[str] = []
        build_bank(voices("held_out"), cache, said.append)
        assert not said

    @pytest.mark.parametrize("technique", [VocoderWords, GrainWords])
    def test_singer_is_in_tune(
        self, technique: type[VocoderWords | GrainWords], phrase: Phrase, rng: Generator
    ) -> None:
        manner = Manner(0.0, 5.0, portamento=0.02, drift_cents=0.0, breath=0.0)
        notes = [Note(0.25 + 0.8 * n, 0.75, pitch, 100) for n, pitch in enumerate((50, 53, 48))]
        course = chart(phrase, notes, manner, rng)
        assert course is not None
        sound = technique.prepare(phrase, Throat(1.1, 0.0)).sing(course, manner, rng)
        assert np.isfinite(sound).all()
        f0 = analyse(sound.astype(np.float64), SAMPLE_RATE).f0
        for note in notes:
            sung = f0[int((note.start + 0.25) / 0.005) : int((note.start + 0.5) / 0.005)]
            cents = 1200 * np.log2(np.median(sung[sung > 0]) / 440) - 100 * (note.pitch - 69)
            assert abs(cents) < 15

    def test_nothing_is_sung_without_notes(self, phrase: Phrase, rng: Generator) -> None:
        manner = Manner(30.0, 5.0, portamento=0.02, drift_cents=5.0, breath=0.3)
        assert chart(phrase, [], manner, rng) is None
