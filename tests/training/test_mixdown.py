"""From stems to a song: balance, master, limiter and rounding."""

import numpy as np
import pytest
from numpy.random import Generator, default_rng

from my_submission.stems import SAMPLE_RATE, STEMS, Audio, Stem
from training.synthesis.mixdown import limit, master, mix, quantise


class TestMix:
    """Balance, limiter and rounding."""

    @pytest.fixture
    def stems(self, rng: Generator) -> dict[Stem, Audio]:
        noise = rng.normal(0, 0.5, (4, 2, SAMPLE_RATE)).astype(np.float32)
        noise[1, :, : SAMPLE_RATE // 2] = 0
        noise[3] = 0
        return dict(zip(STEMS, noise, strict=True))

    def test_limiter_is_one_gain_curve_that_all_stems_share(self, stems: dict[Stem, Audio]) -> None:
        limited = limit(stems, 4.0)
        bass, other = (limited[stem] / stems[stem] for stem in ("bass", "other"))
        np.testing.assert_allclose(bass, other, rtol=1e-4)
        assert bass.max() > 1.1 * bass.min()
        assert np.abs(np.sum(list(limited.values()), axis=0)).max() < 1

    @pytest.mark.parametrize("seed", range(8))
    def test_master_treats_the_song_as_one(self, stems: dict[Stem, Audio], seed: int) -> None:
        # Scaled so that no stem is louder than the sum, which the limiter would heed.
        stems = {stem: audio * np.float32(0.3) for stem, audio in stems.items()}
        whole = np.sum(list(stems.values()), axis=0)
        nothing = np.zeros_like(whole)
        apart = master(stems, default_rng(seed))
        together = master({**dict.fromkeys(STEMS, nothing), "other": whole}, default_rng(seed))
        total = np.sum(list(apart.values()), axis=0)
        np.testing.assert_allclose(total, together["other"], atol=2e-3)

    def test_silent_stem_stays_silent(self, stems: dict[Stem, Audio], rng: Generator) -> None:
        assert not mix(stems, rng)["vocals"].any()

    @pytest.mark.parametrize("gain", [0.0, 0.01, 1.0, 100.0])
    def test_sum_never_clips(self, stems: dict[Stem, Audio], gain: float) -> None:
        samples = quantise({stem: audio * np.float32(gain) for stem, audio in stems.items()})
        total = np.sum(list(samples.values()), axis=0)
        assert max(np.abs(audio).max() for audio in (total, *samples.values())) <= 32767

    def test_cancelling_stems_do_not_clip_either(self, stems: dict[Stem, Audio]) -> None:
        opposed: dict[Stem, Audio] = {
            **stems,
            "bass": 9 * stems["other"],
            "other": -9 * stems["other"],
        }
        samples = quantise(opposed)
        assert max(np.abs(audio).max() for audio in samples.values()) <= 32767
