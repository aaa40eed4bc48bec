"""The Mixer's closed form."""

from pathlib import Path

import numpy as np
import pytest

from my_submission.separators.mixer import Mixer
from my_submission.stems import Audio
from training.mixer import SWAPPED, SongProducts, save_mixer, solve_mixer


def some_stems(rng: np.random.Generator, length: int = 4000) -> Audio:
    levels = rng.uniform(0.05, 0.2, (4, 1, 1))
    return (levels * rng.standard_normal((4, 2, length))).astype(np.float32)


def test_a_known_mixing_of_the_stems_is_undone(rng: np.random.Generator) -> None:
    # Alike on both channels, because the solution is made so.
    same, other = rng.normal(0, 0.2, (2, 4, 4))
    bleed = np.kron(np.eye(4) + same, np.eye(2)) + np.kron(other, np.eye(2)[::-1])
    songs = []
    for _ in range(3):
        stems = some_stems(rng)
        estimates = (bleed @ stems.reshape(8, -1)).reshape(stems.shape).astype(np.float32)
        songs.append(SongProducts.of(estimates, stems))
    weight = solve_mixer(songs)
    # The mixture is the stems' sum, so the inverse is not the only solution: what it does counts.
    total = np.concatenate([bleed, np.kron(np.ones((1, 4)), np.eye(2))])
    assert weight @ total == pytest.approx(np.eye(8), abs=1e-3)


def test_perfect_estimates_are_left_as_they_are(rng: np.random.Generator) -> None:
    stems = some_stems(rng)
    mixer = Mixer(solve_mixer([SongProducts.of(stems, stems)]).astype(np.float32))
    assert mixer(stems, stems.sum(axis=0)) == pytest.approx(stems, abs=1e-4)


def test_products_give_the_error_of_any_mixer(rng: np.random.Generator) -> None:
    stems, estimates = some_stems(rng), some_stems(rng)
    song = SongProducts.of(estimates, stems)
    weight = rng.normal(0, 0.3, (8, 10))
    inputs = np.concatenate([estimates.reshape(8, -1), stems.sum(axis=0)])
    for stem in range(4):
        rows = weight[2 * stem : 2 * stem + 2]
        plain = np.square(rows @ inputs - stems[stem]).sum()
        exchanged = np.square(rows @ inputs[SWAPPED] - stems[stem, ::-1]).sum()
        assert song.error(stem, rows) == pytest.approx(plain + exchanged, rel=1e-5)


def test_the_solution_treats_both_channels_alike(rng: np.random.Generator) -> None:
    weight = solve_mixer([SongProducts.of(some_stems(rng), some_stems(rng)) for _ in range(2)])
    assert weight[SWAPPED[:8]][:, SWAPPED] == pytest.approx(weight, abs=1e-6)


def test_no_other_mixer_near_it_scores_better(rng: np.random.Generator) -> None:
    stems = [some_stems(rng) for _ in range(4)]
    noise = [some_stems(rng) for _ in range(4)]
    songs = [SongProducts.of(s + n, s) for s, n in zip(stems, noise, strict=True)]
    best = solve_mixer(songs, rounds=50)

    def score(weight: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> float:
        rows = weight.reshape(4, 2, 10)
        return float(
            -np.sum([[np.log(song.error(k, rows[k])) for k in range(4)] for song in songs])
        )

    for _ in range(20):
        assert score(best + rng.normal(0, 0.01, best.shape)) < score(best)


def test_the_file_is_the_published_kind(tmp_path: Path, rng: np.random.Generator) -> None:
    weight = rng.normal(size=(8, 10))
    save_mixer(weight, tmp_path / "new" / "mixer.ckpt")
    assert Mixer.load(tmp_path / "new" / "mixer.ckpt").weight == pytest.approx(weight, abs=1e-6)
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["mixer.ckpt"]
