"""Chunks come from nothing but the songs, a seed and their number."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from my_submission.errors import DemixError
from my_submission.stems import STEMS, Audio
from tests.training_songs import write_training_song
from training.augmentation import make_chain
from training.data.chunks import CHUNK_SAMPLES, Chunks
from training.data.tracks import Track, open_track, open_tracks

LENGTH = 500


@pytest.fixture
def tracks(tmp_path: Path) -> list[Track]:
    """Give three songs, of 4000, 3000 and 2000 samples."""
    for seed, (name, length) in enumerate({"a": 4000, "b": 3000, "c": 2000}.items()):
        write_training_song(tmp_path / name, seed, length)
    return open_tracks(tmp_path, print)


def chunks(tracks: Sequence[Track], **options: Any) -> Chunks:
    return Chunks(tracks, **{"seed": 1, "num_samples": LENGTH, **options})


def where(part: Audio, sound: Audio) -> int | None:
    """Find the place of a part in a stem, by its first sample and then all others."""
    for start in np.flatnonzero(sound[0, : -part.shape[1] + 1] == part[0, 0]):
        if np.array_equal(sound[:, start : start + part.shape[1]], part):
            return int(start)
    return None


def test_the_published_length() -> None:
    assert CHUNK_SAMPLES == 255 * 1024
    assert Chunks((), seed=1).num_samples == CHUNK_SAMPLES


def test_each_stem_is_a_part_of_some_song(tracks: list[Track]) -> None:
    sounds = {track.name: track.stems() for track in tracks}
    maker = chunks(tracks)
    for number in range(30):
        stems = maker.stems(number)
        assert stems.shape == (4, 2, LENGTH) and stems.dtype == np.float32
        places, coherent = maker.places(number)
        assert not coherent
        for index, place in enumerate(places):
            assert where(stems[index], sounds[place.track.name][index]) == place.start


def test_random_mixing_takes_all_songs_and_places(tracks: list[Track]) -> None:
    maker = chunks(tracks)
    drawn = [maker.places(number)[0] for number in range(300)]
    names = np.array([[place.track.name for place in places] for places in drawn])
    for index in range(len(STEMS)):
        counts = [np.mean(names[:, index] == name) for name in "abc"]
        assert max(counts) < 0.45 and min(counts) > 0.22
    assert np.mean(names[:, 0] == names[:, 1]) < 0.45
    starts = [place.start for places in drawn for place in places if place.track.name == "a"]
    assert min(starts) < 100 and 3400 < max(starts) <= 3500


def test_a_chunk_depends_on_seed_and_number_alone(tracks: list[Track]) -> None:
    options: dict[str, dict[str, Any]] = {
        "stem_drop": {},
        "gain": {},
        "equalizer": {},
        "reverb": {},
    }
    maker = chunks(tracks, chain=make_chain(options), coherent_share=0.5)
    again = chunks(tracks, chain=make_chain(options), coherent_share=0.5)
    forwards = [maker.stems(number) for number in range(6)]
    backwards = [again.stems(number) for number in reversed(range(6))]
    assert np.array_equal(forwards, backwards[::-1])
    assert not np.array_equal(forwards[0], forwards[1])
    assert not np.array_equal(chunks(tracks, seed=2).stems(0), chunks(tracks).stems(0))


def test_stems_are_changed_and_the_mixture_is_their_sum(tracks: list[Track]) -> None:
    plain = chunks(tracks)
    louder = chunks(tracks, chain=make_chain({"gain": {"min_gain_db": 6, "max_gain_db": 6}}))
    factor = np.float32(10 ** (6 / 20))
    for number in range(5):
        # Places are drawn apart from changes: the same songs, only louder.
        assert np.array_equal(louder.stems(number), plain.stems(number) * factor)
        mixture = louder.stems(number).sum(axis=0)
        assert np.allclose(mixture, plain.stems(number).sum(axis=0) * factor, atol=1e-6)


def test_zero_probabilities_are_the_published_mixing(tracks: list[Track]) -> None:
    names = ("stem_drop", "equalizer", "reverb", "channel_swap", "polarity", "gain")
    chain = make_chain({name: {"probability": 0} for name in names})
    for number in range(5):
        changed = chunks(tracks, chain=chain).stems(number)
        assert np.array_equal(changed, chunks(tracks).stems(number))


def test_coherent_chunks_are_one_moment_of_one_song(tracks: list[Track]) -> None:
    maker = chunks(tracks, coherent_share=1.0)
    for number in range(20):
        places, coherent = maker.places(number)
        assert coherent and len({(place.track.name, place.start) for place in places}) == 1
        assert np.array_equal(maker.stems(number), places[0].track.stems(places[0].start, LENGTH))
    half = chunks(tracks, coherent_share=0.5)
    assert 0.4 < np.mean([half.places(number)[1] for number in range(300)]) < 0.6


def test_dropped_stems_are_not_read(tracks: list[Track]) -> None:
    maker = chunks(tracks, chain=make_chain({"stem_drop": {"probability": 0.5}}))
    stems = np.stack([maker.stems(number) for number in range(40)])
    silent = np.abs(stems).max(axis=(2, 3)) == 0
    assert 0.35 < silent.mean() < 0.6 and not silent.all(axis=1).any()
    for track in tracks:
        track.files["bass"].unlink()
    for number in range(40):
        if silent[number, 0]:
            assert np.array_equal(maker.stems(number), stems[number])
        else:
            with pytest.raises(DemixError, match="no such file"):
                maker.stems(number)


def test_a_song_shorter_than_a_chunk_lies_anywhere_in_it(tmp_path: Path) -> None:
    write_training_song(tmp_path / "short", 1, 200)
    track = open_track(tmp_path / "short")
    maker = chunks([track])
    starts = set()
    for number in range(20):
        stems = maker.stems(number)
        for index, place in enumerate(maker.places(number)[0]):
            assert -300 <= place.start <= 0
            starts.add(place.start)
            begin = -place.start
            assert np.array_equal(stems[index, :, begin : begin + 200], track.stems()[index])
            assert np.count_nonzero(stems[index].any(axis=0)) <= 200
    assert len(starts) > 20


def test_versions_take_a_songs_place_and_do_not_lengthen_the_epoch(
    tracks: list[Track], tmp_path: Path
) -> None:
    assert chunks(tracks).per_epoch == 9000 // LENGTH
    for seed in (7, 8):
        write_training_song(tmp_path / f"versions{seed}", seed, 3000)
    versions = [open_track(tmp_path / f"versions{seed}") for seed in (7, 8)]
    first = Track(tracks[0].name, tracks[0].num_samples, tracks[0].files, versions)
    maker = chunks([first, *tracks[1:]])
    assert maker.per_epoch == 9000 // LENGTH
    taken = [place.track for number in range(300) for place in maker.places(number)[0]]
    share = {name: np.mean([track.name == name for track in taken]) for name in "abc"}
    # One of the first song's three forms, as often as one of the other songs.
    assert share["b"] == pytest.approx(1 / 3, abs=0.05)
    assert share["a"] == pytest.approx(1 / 9, abs=0.04)


def test_an_epoch_has_a_chunk_at_least(tracks: list[Track]) -> None:
    assert chunks(tracks, num_samples=100_000).per_epoch == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_samples": 0}, "chunk_samples=0"),
        ({"seed": -1}, "seed=-1"),
        ({"coherent_share": 1.1}, "coherent_share=1.1"),
    ],
)
def test_options_that_make_no_sense(options: dict[str, Any], message: str) -> None:
    with pytest.raises(DemixError, match=message):
        chunks((), **options)
