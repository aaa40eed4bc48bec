"""Songs are found, checked and read by position."""

import pickle
import subprocess
import sys
from pathlib import Path
from typing import IO

import numpy as np
import pytest
import soundfile

from my_submission.errors import DemixError
from my_submission.stems import SAMPLE_RATE, STEMS
from tests.training_songs import write_training_song
from training.data.decoded import decoded
from training.data.tracks import open_track, open_tracks
from training.locking import lock


@pytest.mark.parametrize(
    ("suffix", "subtype"),
    [(".flac", "PCM_16"), (".flac", "PCM_24"), (".wav", "PCM_16"), (".wav", "FLOAT")],
)
def test_any_part_is_that_of_the_file(
    suffix: str, subtype: str, tmp_path: Path, rng: np.random.Generator
) -> None:
    # Several FLAC frames, so that there is something to seek in.
    sounds = write_training_song(tmp_path / "a", 1, 30_000, suffix=suffix, subtype=subtype)
    track = open_track(tmp_path / "a")
    assert (track.name, track.num_samples) == ("a", 30_000)
    assert np.array_equal(track.stems(), sounds)
    for start in rng.integers(0, 29_000, 20):
        for index, stem in enumerate(STEMS):
            part = track.read(stem, int(start), 700)
            assert np.array_equal(part, sounds[index, :, start : start + 700])


def test_outside_a_song_there_are_zeros(tmp_path: Path) -> None:
    sounds = write_training_song(tmp_path / "a", 1, 100)
    part = open_track(tmp_path / "a").stems(-30, 200)
    assert part.shape == (4, 2, 200)
    assert np.array_equal(part[..., 30:130], sounds)
    assert not np.any(part[..., :30]) and not np.any(part[..., 130:])
    assert not np.any(open_track(tmp_path / "a").read("bass", 500, 10))


def test_what_is_read_does_not_grow_with_the_song(tmp_path: Path) -> None:
    program = """
import resource, sys
from pathlib import Path
from training.data.tracks import open_track

def bytes_read():
    text = Path("/proc/self/io").read_text()
    return int(next(line.split()[1] for line in text.splitlines() if "rchar" in line))

track = open_track(Path(sys.argv[1]))
track.stems(0, 1000)
before, peak = bytes_read(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
track.stems(track.num_samples // 2, 1000)
after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(bytes_read() - before, after - peak)
"""
    for suffix in (".wav", ".flac"):
        costs = []
        for seconds in (2, 20):
            folder = tmp_path / f"{seconds}{suffix}"
            write_training_song(folder, 1, seconds * SAMPLE_RATE, suffix=suffix)
            done = subprocess.run(
                [sys.executable, "-c", program, str(folder)],
                capture_output=True,
                text=True,
                check=True,
            )
            costs.append([int(number) for number in done.stdout.split()])
        (short_bytes, short_kib), (long_bytes, long_kib) = costs
        # A FLAC file is searched through by bisection: some more frames, not the whole song.
        assert long_bytes < short_bytes + 1_000_000  # of about 14 MB in all
        assert long_kib < short_kib + 2_000


def test_nothing_stays_open(tmp_path: Path) -> None:
    write_training_song(tmp_path / "a", 1)
    descriptors = Path("/proc/self/fd")
    before = len(list(descriptors.iterdir()))
    track = open_track(tmp_path / "a")
    track.stems()
    assert len(list(descriptors.iterdir())) == before
    assert np.array_equal(pickle.loads(pickle.dumps(track)).stems(), track.stems())


def test_incomplete_songs_are_left_out_and_named(tmp_path: Path) -> None:
    for index, name in enumerate("cab"):
        write_training_song(tmp_path / name, index)
    (tmp_path / "b" / "vocals.flac").unlink()
    (tmp_path / "b" / "bass.flac").unlink()
    (tmp_path / "metadata").mkdir()
    write_training_song(tmp_path / ".c.partial", 1)
    said: list[str] = []
    assert [track.name for track in open_tracks(tmp_path, said.append)] == ["a", "c"]
    assert len(said) == 1
    assert said[0].endswith("b: left out, because it has no bass and no vocals")


def test_folders_without_songs_are_errors(tmp_path: Path) -> None:
    with pytest.raises(DemixError, match="no such folder"):
        open_tracks(tmp_path / "nowhere", print)
    with pytest.raises(DemixError, match="holds no song"):
        open_tracks(tmp_path, print)
    with pytest.raises(DemixError, match=r"has no bass\.flac or bass\.wav"):
        open_track(tmp_path)


@pytest.mark.parametrize(
    ("shape", "rate", "message"),
    [
        ((4000, 1), SAMPLE_RATE, "1 channels"),
        ((4000, 2), 8000, "8000 Hz"),
        ((5, 2), SAMPLE_RATE, "drums 5"),
    ],
)
def test_a_stem_of_another_form_is_one_clear_line(
    shape: tuple[int, int], rate: int, message: str, tmp_path: Path
) -> None:
    write_training_song(tmp_path / "a", 1)
    soundfile.write(tmp_path / "a" / "drums.flac", np.zeros(shape), rate)
    with pytest.raises(DemixError, match=message) as raised:
        open_tracks(tmp_path, print)
    assert "\n" not in str(raised.value) and str(tmp_path / "a") in str(raised.value)


def test_what_cannot_be_read_by_position_is_refused(tmp_path: Path) -> None:
    write_training_song(tmp_path / "a", 1)
    soundfile.write(tmp_path / "a" / "bass.flac", np.zeros((4000, 2)), SAMPLE_RATE, format="MP3")
    with pytest.raises(DemixError, match=r"bass\.flac: is no plain WAV or FLAC"):
        open_track(tmp_path / "a")
    (tmp_path / "a" / "bass.flac").write_bytes(b"no sound at all, but long enough to look at")
    with pytest.raises(DemixError, match=r"bass\.flac"):
        open_track(tmp_path / "a")


def test_two_files_of_a_stem_and_empty_ones_are_refused(tmp_path: Path) -> None:
    write_training_song(tmp_path / "a", 1)
    write_training_song(tmp_path / "b", 1, suffix=".wav")
    (tmp_path / "b" / "bass.wav").rename(tmp_path / "a" / "bass.wav")
    with pytest.raises(DemixError, match=r"holds bass as \.flac and as \.wav"):
        open_track(tmp_path / "a")
    write_training_song(tmp_path / "c", 1, 0, suffix=".wav")
    with pytest.raises(DemixError, match="no samples"):
        open_track(tmp_path / "c")


def test_a_song_that_changes_while_it_is_used_is_an_error(tmp_path: Path) -> None:
    write_training_song(tmp_path / "a", 1, suffix=".wav")
    track = open_track(tmp_path / "a")
    sound = np.zeros((4000, 2))
    sound[7] = np.nan
    soundfile.write(tmp_path / "a" / "other.wav", sound, SAMPLE_RATE, "FLOAT")
    with pytest.raises(DemixError, match=r"other\.wav: holds NaN"):
        track.read("other", 0, 100)
    soundfile.write(tmp_path / "a" / "drums.wav", sound[:50] * 0, SAMPLE_RATE)
    with pytest.raises(DemixError, match=r"drums\.wav: .*shorter"):
        track.read("drums", 0, 100)
    (tmp_path / "a" / "bass.wav").unlink()
    with pytest.raises(DemixError, match=r"bass\.wav: no such file"):
        track.read("bass", 0, 100)


@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24"])
def test_a_decoded_song_has_the_same_samples(subtype: str, tmp_path: Path) -> None:
    sounds = write_training_song(tmp_path / "songs" / "a", 1, 100_000, subtype=subtype)
    track = open_track(tmp_path / "songs" / "a")
    said: list[str] = []
    wav = decoded(track, tmp_path / "decoded", said.append)
    assert {path.suffix for path in wav.files.values()} == {".wav"}
    assert np.array_equal(wav.stems(), sounds)
    # Once only, until the song changes.
    assert decoded(track, tmp_path / "decoded", said.append).files == wav.files
    assert len(said) == 1
    for stem in STEMS:
        (tmp_path / "songs" / "a" / f"{stem}.flac").unlink()
    (tmp_path / "songs" / "a").rmdir()
    other = write_training_song(tmp_path / "songs" / "a", 2, 100_000, subtype=subtype)
    again = decoded(open_track(tmp_path / "songs" / "a"), tmp_path / "decoded", said.append)
    assert np.array_equal(again.stems(), other)


def test_a_song_that_another_run_decodes_meanwhile_is_decoded_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_training_song(tmp_path / "songs" / "a", 1, 10_000)
    track = open_track(tmp_path / "songs" / "a")
    others: list[str] = []
    said: list[str] = []

    def lock_after_the_other(folder: Path, *, wait: bool) -> IO[str]:
        monkeypatch.undo()
        decoded(track, folder, others.append)
        return lock(folder, wait=wait)

    monkeypatch.setattr("training.data.decoded.lock", lock_after_the_other)
    assert {path.suffix for path in decoded(track, tmp_path, said.append).files.values()} == {
        ".wav"
    }
    assert (len(others), said) == (1, [])
