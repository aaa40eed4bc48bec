"""What a report takes in: sounds of any form, wherever they lie."""

import base64
import io
import os
from pathlib import Path

import numpy as np
import pytest
import soundfile
import typer
from typer.testing import CliRunner, Result

from evaluator.commands_of_runs import register
from evaluator.data_sets import DataSong, SongFiles
from evaluator.errors import EvaluatorError
from evaluator.report_page.build import write_report
from evaluator.report_page.sounds import encode, read_piece
from evaluator.sound import STEMS, StraightFile
from tests.audio.sound_files import steady_tone
from tests.musdb_folders import write_stem_file
from tests.report_folders import RATE, Tags, pieces, run_of_one_song
from tests.run_folders import RUN, noise, write_scores, write_sounds

__all__ = ["run_of_one_song"]


def invoke(*arguments: str | Path) -> Result:
    app = typer.Typer()
    register(app)
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


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


@pytest.mark.parametrize("suffix", [".wav", ".mp3"])
def test_a_piece_is_the_same_wherever_it_begins(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"song{suffix}"
    soundfile.write(path, steady_tone(100_000), 44_100)
    whole = soundfile.read(path)[0]
    with StraightFile(path) as song:
        for start in (50_000, 0, 99, 99_990, 100_000, 100_001, 33_333):
            piece = read_piece(song, start, start + 5000)
            np.testing.assert_allclose(piece, whole[start : start + 5000], rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    ("rate", "played_at"), [(8000, 8000), (44_100, 44_100), (96_000, 48_000), (6000, 8000)]
)
@pytest.mark.parametrize(("channels", "played"), [(1, 1), (2, 2), (6, 2)])
def test_what_is_played_is_as_long_as_it_was(
    rng: np.random.Generator, rate: int, played_at: int, channels: int, played: int
) -> None:
    data = encode(rng.uniform(-0.5, 0.5, (rate, channels)), rate)
    sound, found = soundfile.read(io.BytesIO(data), always_2d=True)
    assert (found, sound.shape) == (played_at, (played_at, played))


@pytest.mark.parametrize("mono", ["data", "run"])
def test_mono_beside_stereo_is_heard_in_both_channels(
    run: Path, tmp_path: Path, rng: np.random.Generator, mono: str
) -> None:
    for stem in STEMS:
        for kind in ("data", "run"):
            sound = rng.uniform(-0.2, 0.2, (RATE, 1 if kind == mono else 2))
            soundfile.write(tmp_path / kind / "a" / f"{stem}.wav", sound, RATE)
    page = write_report(run, tmp_path / "report")
    assert "SDR of each second" in Tags(page.parent / "songs" / "001.html").text


def test_other_channels_are_an_error(run: Path, tmp_path: Path, rng: np.random.Generator) -> None:
    for name, channels in (("bass", 2), ("drums", 3)):
        soundfile.write(run / "a" / f"{name}.wav", rng.uniform(-0.2, 0.2, (99, channels)), RATE)
    with pytest.raises(EvaluatorError, match=r"have \[1, 2, 3\] channels"):
        write_report(run, tmp_path / "report")


def test_other_rates_are_an_error(run: Path, tmp_path: Path, rng: np.random.Generator) -> None:
    soundfile.write(run / "a" / "bass.wav", rng.uniform(-0.1, 0.1, 100), 16_000)
    with pytest.raises(EvaluatorError, match=r"sample rates \[8000, 16000\]"):
        write_report(run, tmp_path / "report")


def test_silence_and_a_few_samples(tmp_path: Path) -> None:
    silence = dict.fromkeys(STEMS, np.zeros((3, 2)))
    write_sounds(tmp_path / "run", tmp_path / "data", "a", silence, RATE)
    page = write_report(tmp_path / "run", tmp_path / "report", references=tmp_path / "data")
    assert pieces(page.parent / "songs" / "001", 0)


def test_paths_that_are_not_unicode(tmp_path: Path, rng: np.random.Generator) -> None:
    """The song, its data and the report lie in folders whose names are Latin-1."""
    root = tmp_path / os.fsdecode(b"m\xfcsli")
    name = os.fsdecode(b"\xdcber")
    write_sounds(root / "run", root / "data", name, noise(rng, 99), RATE)
    origin = {**RUN, "data": str(root / "data")}
    reference = str(root / "data" / name)
    write_scores(root / "run", name, 1.0, reference=reference, origin=origin)
    done = invoke("report", root / "run")
    assert done.exit_code == 0, done.exception
    assert "m\\udcfcsli" in done.stdout
    page = root / "run" / "report" / "index.html"
    assert "\\udcdcber" in Tags(page).text
    assert "m\\udcfcsli" in Tags(page).text
    assert "vocals.reference" in pieces(page.parent / "songs" / "001", 0)
    assert invoke("compare", root / "run", root / "run").exit_code == 0


def test_stems_of_musdb18s_own_files(
    tmp_path: Path, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    packed = tmp_path / "musdb18" / "test" / "a.stem.mp4"
    write_stem_file(packed, rng)
    write_scores(tmp_path / "run", "a", 1.0, reference=str(packed))
    for stem in STEMS:
        soundfile.write(tmp_path / "run" / "a" / f"{stem}.wav", np.zeros((20_000, 2)), 44_100)
    (tmp_path / "scratch").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "scratch"))
    decoded_in: list[Path | None] = []
    open_packed = DataSong.open

    def opened(song: DataSong, scratch: Path | None = None) -> SongFiles:
        decoded_in.append(scratch)
        return open_packed(song, scratch)

    monkeypatch.setattr(DataSong, "open", opened)
    for words in ((), ("--references", tmp_path / "musdb18")):
        done = invoke("report", tmp_path / "run", *words)
        assert done.exit_code == 0, done.exception
        folder = tmp_path / "run" / "report" / "songs" / "001"
        sounds = pieces(folder, 0)
        assert {"mixture", *(f"{stem}.reference" for stem in STEMS)} < sounds.keys()
        sound, rate = soundfile.read(io.BytesIO(base64.b64decode(sounds["drums.reference"])))
        assert (rate, sound.shape[1]) == (44_100, 2)
        assert np.abs(sound).max() > 0.05
    assert decoded_in == [tmp_path / "scratch"] * 2
    assert list((tmp_path / "scratch").iterdir()) == []


def test_without_references_there_are_estimates(run: Path, tmp_path: Path) -> None:
    write_scores(run, "a", 6.0, reference="/gone")
    page = write_report(run, tmp_path / "report").parent / "songs" / "001.html"
    assert "references are not where they were" in Tags(page).text
    assert pieces(page.parent / "001", 0).keys() == {f"{stem}.estimate" for stem in STEMS}


def test_references_elsewhere(run: Path, tmp_path: Path) -> None:
    (tmp_path / "data").rename(tmp_path / "moved")
    page = write_report(run, tmp_path / "report", references=tmp_path / "moved")
    assert "vocals.reference" in pieces(page.parent / "songs" / "001", 0)
    with pytest.raises(EvaluatorError, match="holds no references of a"):
        write_report(run, tmp_path / "report", references=tmp_path / "run" / "a")
