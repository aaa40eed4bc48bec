"""Training examples come from nothing but the songs and a seed."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from my_submission.errors import DemixError
from my_submission.stems import SAMPLE_RATE, STEMS
from training.mixing import MixingOptions, StemDraw, apply_example, draw_example, make_batch
from training.songs import SongStore

LENGTH = 3000


def test_the_store_gives_what_the_files_hold(store: SongStore, songs: Path) -> None:
    assert store.names == ["a", "b", "c", "d", "e"]
    assert store.num_samples(2) == 2 * SAMPLE_RATE
    expected, _ = soundfile.read(songs / "c" / "drums.flac", dtype="float32", always_2d=True)
    assert np.array_equal(store.excerpt(2, 1, 100, 50), expected[100:150].T)
    assert np.array_equal(store.stems(2)[1], expected.T)


def test_behind_a_song_there_are_zeros(store: SongStore) -> None:
    part = store.excerpt(0, 0, 2 * SAMPLE_RATE - 10, 30)
    assert np.any(part[:, :10]) and not np.any(part[:, 10:])


def test_a_second_store_reads_the_decoded_songs(songs: Path, tmp_path: Path) -> None:
    first = SongStore(songs, tmp_path / "decoded").stems(0)
    for stem in STEMS:
        (songs / "a" / f"{stem}.flac").write_bytes(b"no longer sound")
    assert np.array_equal(SongStore(songs, tmp_path / "decoded").stems(0), first)


def test_incomplete_songs_are_left_out(songs: Path, tmp_path: Path) -> None:
    (songs / "b" / "vocals.flac").unlink()
    assert SongStore(songs, tmp_path / "decoded").names == ["a", "c", "d", "e"]


def test_a_folder_without_songs_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DemixError, match="no such folder"):
        SongStore(tmp_path / "nowhere", tmp_path / "decoded")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DemixError, match="holds no song"):
        SongStore(tmp_path / "empty", tmp_path / "decoded")


@pytest.mark.parametrize(
    ("shape", "rate", "message"),
    [((500, 1), SAMPLE_RATE, "1 channels"), ((500, 2), 8000, "8000 Hz"), ((5, 2), 44100, "long")],
)
def test_a_stem_of_another_form_is_an_error(
    shape: tuple[int, int], rate: int, message: str, songs: Path, tmp_path: Path
) -> None:
    soundfile.write(songs / "d" / "bass.flac", np.zeros(shape), rate)
    with pytest.raises(DemixError, match=message):
        SongStore(songs, tmp_path / "decoded")


def test_a_batch_depends_on_its_seed_alone(store: SongStore) -> None:
    def batch(*seed: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
        return make_batch(
            seed, store, range(5), batch_size=3, num_samples=LENGTH, options=MixingOptions()
        )

    first = batch(1, 0, 7)
    assert first.shape == (3, 4, 2, LENGTH)
    assert np.array_equal(first, batch(1, 0, 7))
    for other in ((1, 0, 8), (1, 1, 7), (2, 0, 7)):
        assert not np.array_equal(first, batch(*other))


def test_a_coherent_example_is_one_moment_of_one_song(
    store: SongStore, rng: np.random.Generator
) -> None:
    options = MixingOptions(coherent_share=1.0, silence_share=0.0)
    for _ in range(20):
        draws = draw_example(rng, store, range(5), LENGTH, options)
        assert len({(draw.song, draw.start, draw.swap, draw.gain > 0) for draw in draws}) == 1


def test_gains_stay_in_their_range_and_stems_fall_silent(
    store: SongStore, rng: np.random.Generator
) -> None:
    options = MixingOptions(coherent_share=0.5, silence_share=0.3)
    draws = [
        draw for _ in range(300) for draw in draw_example(rng, store, range(5), LENGTH, options)
    ]
    gains = np.abs([draw.gain for draw in draws])
    assert 0.25 < np.mean(gains == 0) < 0.35
    limit = 10 ** ((options.max_gain_db + options.max_coherent_gain_db) / 20)
    assert np.all(gains[gains > 0] <= limit) and np.all(gains[gains > 0] >= 1 / limit)
    assert {draw.song for draw in draws} == set(range(5))
    assert all(draw.start + LENGTH <= 2 * SAMPLE_RATE for draw in draws)


def test_songs_kept_out_are_not_drawn(store: SongStore, rng: np.random.Generator) -> None:
    draws = [draw_example(rng, store, [1, 3], LENGTH, MixingOptions()) for _ in range(50)]
    assert {draw.song for example in draws for draw in example} == {1, 3}


def test_a_draw_says_what_is_done_to_a_stem(store: SongStore) -> None:
    silent = StemDraw(0, 0, 0.0, False)
    changed = StemDraw(1, 200, -2.0, True)
    stems = apply_example(store, [silent, changed, silent, silent], LENGTH)
    assert np.array_equal(stems[1], -2 * store.excerpt(1, 1, 200, LENGTH)[::-1])
    assert not np.any(stems[[0, 2, 3]])
