"""Songs in other pitches and tempos, by the program that Debian has."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from my_submission.errors import DemixError
from my_submission.stems import SAMPLE_RATE, STEMS, Audio
from tests.training_songs import write_training_song
from training.augment import augment, changes, main
from training.data.split import MUSDB18_VALIDATION, DataOptions, split_songs
from training.data.tracks import Track, open_track, open_tracks
from training.data.versions import Change

PITCHES_HZ = dict(zip(STEMS, (110.0, 1760.0, 660.0, 440.0), strict=True))


def write_tones(
    folder: Path, seconds: float = 1.0, subtype: str = "PCM_16", peak: float = 0.3
) -> None:
    """Write a song in which each stem is a tone of a pitch of its own."""
    time_axis = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    folder.mkdir(parents=True)
    for stem, pitch in PITCHES_HZ.items():
        tone = peak * np.sin(2 * np.pi * pitch * time_axis)
        sound = np.stack([tone, 0.5 * tone], axis=1)
        suffix = ".flac" if subtype == "PCM_16" else ".wav"
        soundfile.write(folder / f"{stem}{suffix}", sound, SAMPLE_RATE, subtype)


@pytest.fixture(autouse=True)
def _program() -> None:
    """Skip where the program is not installed; in CI it has to be."""
    if shutil.which("soundstretch") is None and not os.environ.get("CI"):
        pytest.skip("soundstretch is not installed: .ci/packages.txt names it")


@pytest.fixture
def song(tmp_path: Path) -> Track:
    """Give a song of tones, in a folder of songs."""
    write_tones(tmp_path / "songs" / "tones")
    return open_track(tmp_path / "songs" / "tones")


def changed(track: Track, out: Path, change: Change, **options: object) -> Track:
    folder = track.files["bass"].parent
    augment([track], folder.parent, out, [change], **options)  # type: ignore[arg-type]
    return open_track(change.folder(out, folder.parent) / folder.name)


def pitch_hz(sound: Audio) -> float:
    middle = sound[0, len(sound[0]) // 4 : -len(sound[0]) // 4] * 1.0
    spectrum = np.abs(np.fft.rfft(middle * np.hanning(len(middle)), 1 << 20))
    return float(np.argmax(spectrum)) * SAMPLE_RATE / (1 << 20)


def test_the_published_versions_and_those_that_may_be_asked_for() -> None:
    assert changes(2, 20) == [
        Change(shift, tempo)
        for shift in (-2, -1, 0, 1, 2)
        for tempo in (-20, -10, 0, 10, 20)
        if (shift, tempo) != (0, 0)
    ]
    assert len(changes(3, 30)) == 48
    assert changes(1, 0) == [Change(-1, 0), Change(1, 0)]
    assert not changes(0, 0)


@pytest.mark.parametrize("change", [Change(2, -20), Change(-3, 30), Change(0, 10)])
def test_pitch_and_tempo_change_as_they_should(change: Change, song: Track, tmp_path: Path) -> None:
    version = changed(song, tmp_path / "out", change)
    assert version.num_samples == round(song.num_samples / (1 + change.tempo_percent / 100))
    for stem, sound in zip(STEMS, version.stems(), strict=True):
        expected = PITCHES_HZ[stem] * 2 ** (change.semitones / 12)
        assert pitch_hz(sound) == pytest.approx(expected, rel=0.01)
        # Left and right keep their levels.
        middle = sound[:, 8000:-8000]
        assert np.std(middle[1]) == pytest.approx(0.5 * np.std(middle[0]), rel=0.01)
        assert np.std(middle[0]) == pytest.approx(0.3 / np.sqrt(2), rel=0.1)


@pytest.mark.parametrize("num_samples", [1, 700, 30_001])
def test_stems_are_equally_long_whatever_the_length(num_samples: int, tmp_path: Path) -> None:
    write_training_song(tmp_path / "songs" / "a", 1, num_samples, suffix=".wav")
    track = open_track(tmp_path / "songs" / "a")
    for change in (Change(-1, 20), Change(1, -20)):
        # `open_track` refuses stems of different lengths.
        version = changed(track, tmp_path / "out", change)
        assert version.num_samples == change.num_samples(num_samples)


def test_vocals_are_changed_in_speech_mode(tmp_path: Path) -> None:
    write_training_song(tmp_path / "songs" / "a", 1, 30_000)
    folder = tmp_path / "songs" / "a"
    shutil.copy(folder / "vocals.flac", folder / "other.flac")
    version = changed(open_track(folder), tmp_path / "out", Change(0, 10))
    assert not np.allclose(version.read("vocals", 0, 20_000), version.read("other", 0, 20_000))


@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24", "FLOAT", "DOUBLE"])
def test_every_kind_of_sample_is_taken(subtype: str, tmp_path: Path) -> None:
    write_tones(tmp_path / "songs" / "a", 0.5, subtype)
    version = changed(open_track(tmp_path / "songs" / "a"), tmp_path / "out", Change(1, 0))
    for stem in STEMS:
        kept = soundfile.info(version.files[stem]).subtype
        assert kept == ("PCM_16" if subtype == "PCM_16" else "PCM_24")
        level = np.std(version.read(stem, 5000, 10_000)[0])
        assert level == pytest.approx(0.3 / np.sqrt(2), rel=0.1)


def test_quiet_sound_keeps_more_than_16_bits(tmp_path: Path) -> None:
    write_tones(tmp_path / "songs" / "a", 0.5, "FLOAT", peak=1e-5)
    version = changed(open_track(tmp_path / "songs" / "a"), tmp_path / "out", Change(1, 0))
    level = np.std(version.read("other", 5000, 10_000)[0])
    assert level == pytest.approx(1e-5 / np.sqrt(2), rel=0.1)


def test_what_would_clip_is_turned_down_with_all_stems(tmp_path: Path) -> None:
    loud, soft = tmp_path / "loud" / "a", tmp_path / "soft" / "a"
    for folder, gain in ((loud, 1.0), (soft, 0.25)):
        write_tones(folder, 0.5)
        square = 0.99 * np.sign(np.sin(np.arange(22_050) * 0.02))
        sound = gain * np.stack([square, square], axis=1)
        soundfile.write(folder / "drums.flac", sound, SAMPLE_RATE, "PCM_16")
    said: list[str] = []
    first = changed(open_track(loud), tmp_path / "out", Change(2, 10), say=said.append)
    assert any("drums" in line or "gain" in line or "dB" in line for line in said), said
    second = changed(open_track(soft), tmp_path / "out", Change(2, 10))
    ratio = np.abs(first.read("drums", 0, 20_000)).max() / (
        4 * np.abs(second.read("drums", 0, 20_000)).max()
    )
    assert 0.85 < ratio < 0.99
    # One gain for all of them: the mixture is the same music, only softer.
    assert np.allclose(
        first.read("bass", 0, 20_000), ratio * second.read("bass", 0, 20_000), atol=1e-3
    )


def test_a_version_is_trained_on_in_its_songs_place(song: Track, tmp_path: Path) -> None:
    write_tones(tmp_path / "songs" / "another")
    songs = tmp_path / "songs"
    tracks = open_tracks(songs, print)
    augment(tracks, songs, tmp_path / "out", [Change(1, 0), Change(0, 20)], jobs=2)
    split = split_songs(
        DataOptions(folders=[songs], augmented=[tmp_path / "out"], validation_songs=1), print
    )
    (track,) = split.train
    assert [version.num_samples for version in track.versions] == [36_750, 44_100]
    assert np.array_equal(track.versions[1].stems().shape, (4, 2, 44_100))
    assert song.name in {track.name, *(t.name for t in split.validation)}


def test_a_second_run_makes_only_what_is_missing(song: Track, tmp_path: Path) -> None:
    out = tmp_path / "out"
    version = changed(song, out, Change(1, 0))
    times = {stem: path.stat().st_mtime_ns for stem, path in version.files.items()}
    said: list[str] = []
    augment([song], tmp_path / "songs", out, [Change(1, 0), Change(2, 0)], say=said.append)
    assert said[0] == "1 of 2 versions are there already"
    assert {stem: path.stat().st_mtime_ns for stem, path in version.files.items()} == times
    # A version that is cut, as by a full disk or a power cut, is made again.
    whole = version.files["bass"].read_bytes()
    version.files["bass"].write_bytes(whole[: len(whole) // 2])
    assert changed(song, out, Change(1, 0)).files["bass"].read_bytes() == whole


def test_a_version_of_another_song_is_not_overwritten(song: Track, tmp_path: Path) -> None:
    changed(song, tmp_path / "out", Change(1, 0))
    write_tones(tmp_path / "elsewhere" / "songs" / "tones", 0.5)
    other = open_track(tmp_path / "elsewhere" / "songs" / "tones")
    with pytest.raises(DemixError, match="holds a version of another song"):
        changed(other, tmp_path / "out", Change(1, 0))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_a_stopped_run_leaves_nothing_half_written_and_goes_on(
    number: signal.Signals, tmp_path: Path
) -> None:
    songs, out = tmp_path / "songs", tmp_path / "out"
    write_tones(songs / "tones", 4)
    command = [sys.executable, "-m", "training.augment", str(songs), str(out), "-j", "2"]
    run = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    assert run.stdout is not None and run.stderr is not None
    for line in run.stdout:
        if line.startswith("2/24"):
            break
    os.kill(run.pid, number)
    run.stdout.read()
    assert run.wait() == {signal.SIGTERM: 143, signal.SIGINT: 130}.get(number, -number)
    if number != signal.SIGKILL:
        assert run.stderr.read() == "error: interrupted\n"
        assert not [path for path in out.rglob("*") if path.name.startswith(".")]
    run.stdout.close()
    run.stderr.close()
    folders = [folder for folder in out.glob("*/tones") if any(folder.glob("[!.]*"))]
    assert 2 <= len(folders) < 24
    for folder in folders:
        open_track(folder)
    augment([open_track(songs / "tones")], songs, out, changes(1, 0), say=print)
    for change in changes(1, 0):
        open_track(change.folder(out, songs) / "tones")
        assert not list((change.folder(out, songs) / "tones").glob(".*"))


def test_the_root_of_musdb_means_its_training_songs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in (MUSDB18_VALIDATION[0], "Night Owl - x"):
        write_training_song(tmp_path / "musdb" / "train" / name, 1, 3000, suffix=".wav")
    write_training_song(tmp_path / "musdb" / "test" / "unheard", 1, 3000, suffix=".wav")
    arguments = [str(tmp_path / "musdb"), str(tmp_path / "out"), "--semitones", "1", "--tempo", "0"]
    main([*arguments, "--leave-out-validation", "--format", "wav"])
    assert "1 songs in" in capsys.readouterr().out
    made = sorted(path.relative_to(tmp_path / "out") for path in tmp_path.rglob("out/*/*/bass.wav"))
    assert [path.parts[0] for path in made] == ["train_p=-1_t=0", "train_p=1_t=0"]
    assert {path.parts[1] for path in made} == {"Night Owl - x"}


def failure(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    with pytest.raises(SystemExit) as raised:
        main(arguments)
    assert raised.value.code == 1
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    return lines[0]


def test_errors_are_one_line(
    song: Track,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    songs, out = str(tmp_path / "songs"), str(tmp_path / "out")
    assert "give at least 1" in failure(capsys, songs, out, "-j", "0")
    assert "nothing would be" in failure(capsys, songs, out, "--semitones", "0", "--tempo", "0")
    assert "no such folder" in failure(capsys, str(tmp_path / "gone"), out)
    (tmp_path / "file").touch()
    assert "is a file, not a folder" in failure(capsys, songs, str(tmp_path / "file"))
    song.files["drums"].write_bytes(b"this is no sound, but has a name of one")
    assert "drums.flac" in failure(capsys, songs, out)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert failure(capsys, songs, out).endswith("soundstretch.html")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("program", "message"),
    [
        ("exit 3", "soundstretch failed with status 3: no reason given"),
        ("echo cannot >&2; echo so >&2", "gave no sound: so"),
        ('head -c 20000 < "$1" > "$2"', "gave not all of 44100 samples"),
    ],
)
def test_a_program_that_fails_leaves_nothing(
    program: str, message: str, song: Track, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = tmp_path / "bin" / "soundstretch"
    fake.parent.mkdir()
    fake.write_text(f"#!/bin/sh\n{program}\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{fake.parent}:{os.environ['PATH']}")
    with pytest.raises(DemixError, match=message):
        changed(song, tmp_path / "out", Change(1, 0))
    assert not (tmp_path / "out").exists()


def test_sound_far_beyond_full_scale_is_refused(tmp_path: Path) -> None:
    write_tones(tmp_path / "songs" / "a", 0.2, "FLOAT", peak=5.0)
    with pytest.raises(DemixError, match=r"bass\.wav: goes beyond 4 times full scale"):
        changed(open_track(tmp_path / "songs" / "a"), tmp_path / "out", Change(1, 0))
