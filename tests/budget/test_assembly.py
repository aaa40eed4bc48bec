"""Parts put together: the system's own blend where they are whole, faded into less elsewhere."""

from collections.abc import Iterator

import numpy as np
import pytest

from my_submission.audio.scratch import BLOCK_FRAMES
from my_submission.budget.assembly import Estimates, assembled
from my_submission.budget.coverage import FADE, Coverage, Stretch
from my_submission.budget.fixed_split import song_shares
from my_submission.budget.shared import SharedSound
from my_submission.stems import SAMPLE_RATE, STEMS, Audio, Stem
from my_submission.streams import blended

SONG = 4 * SAMPLE_RATE
SHARE: dict[Stem, float] = {"bass": 0.5, "drums": 0.5, "other": 0.7, "vocals": 0.9}
SHARES = np.array([SHARE[stem] for stem in STEMS], np.float32).reshape(4, 1, 1)


@pytest.fixture
def mixture(rng: np.random.Generator) -> Audio:
    return rng.uniform(-0.5, 0.5, (2, SONG)).astype(np.float32)


@pytest.fixture
def song(mixture: Audio) -> Iterator[SharedSound]:
    with SharedSound.create(2) as sound:
        sound.write(0, mixture)
        yield sound


@pytest.fixture
def estimate(rng: np.random.Generator) -> Audio:
    """Give what TFC-TDF makes of all of the song."""
    return rng.uniform(-0.2, 0.2, (4, 2, SONG)).astype(np.float32)


@pytest.fixture
def other_estimate(rng: np.random.Generator, estimate: Audio) -> Audio:
    """Give what Demucs makes of all of the song."""
    return rng.uniform(-0.2, 0.2, estimate.shape).astype(np.float32)


def covering(estimate: Audio, *spans: tuple[int, int]) -> Coverage:
    """Have a part estimate some of the song."""
    coverage = Coverage(SONG, len(estimate))
    for start, stop in spans:
        sound = SharedSound.create(2 * len(estimate))
        sound.write(0, estimate[..., start:stop].reshape(2 * len(estimate), -1))
        coverage.add(Stretch(sound, start, stop))
    return coverage


def together(
    song: SharedSound,
    tfc_tdf: Coverage | None = None,
    demucs: Coverage | None = None,
    *,
    share: dict[Stem, float] | None = SHARE,
    alone: dict[Stem, Coverage] | None = None,
    by_frequency: bool = False,
) -> Audio:
    estimates = Estimates(SONG, tfc_tdf, demucs, alone or {}, share)
    blocks = list(assembled(song, estimates, can_split=lambda _: by_frequency))
    estimates.close()
    return np.concatenate(blocks, axis=-1)


def test_whole_parts_are_blended_as_the_system_does(
    song: SharedSound, estimate: Audio, other_estimate: Audio
) -> None:
    blocks = blended(iter([estimate]), iter([other_estimate]), SHARE)
    parts = covering(estimate, (0, SONG)), covering(other_estimate, (0, SONG))
    np.testing.assert_array_equal(together(song, *parts), np.concatenate(list(blocks), axis=-1))


def test_the_only_part_is_untouched(song: SharedSound, estimate: Audio) -> None:
    for parts in ((covering(estimate, (0, SONG)), None), (None, covering(estimate, (0, SONG)))):
        np.testing.assert_array_equal(together(song, *parts, share=None), estimate)


def test_without_demucs_it_is_tfc_tdf_alone(song: SharedSound, estimate: Audio) -> None:
    found = together(song, covering(estimate, (0, SONG)), covering(estimate))
    np.testing.assert_allclose(found, estimate, atol=1e-6)


def test_demucs_is_faded_in_and_out_of_tfc_tdf(
    song: SharedSound, estimate: Audio, other_estimate: Audio
) -> None:
    start, stop = SAMPLE_RATE, 3 * SAMPLE_RATE
    parts = covering(estimate, (0, SONG)), covering(other_estimate, (start, stop))
    found = together(song, *parts)
    for span in (slice(0, start), slice(stop, SONG)):
        np.testing.assert_allclose(found[..., span], estimate[..., span], atol=1e-6)
    blend = SHARES * estimate + (1 - SHARES) * other_estimate
    middle = slice(start + FADE, stop - FADE)
    np.testing.assert_allclose(found[..., middle], blend[..., middle], atol=1e-6)
    fade = np.clip((np.arange(SONG) - start + 0.5) / FADE, 0, 1).astype(np.float32)
    expected = fade * blend + (1 - fade) * estimate
    ramp = slice(start, start + FADE)
    np.testing.assert_allclose(found[..., ramp], expected[..., ramp], atol=1e-6)


@pytest.mark.parametrize("is_tfc_tdf", [True, False])
def test_outside_of_what_is_estimated_the_mixture_is_shared_out(
    song: SharedSound, mixture: Audio, estimate: Audio, is_tfc_tdf: bool
) -> None:
    start, stop = SAMPLE_RATE, 3 * SAMPLE_RATE
    part = covering(estimate, (0, start), (stop, SONG))
    found = together(song, *((part, None) if is_tfc_tdf else (None, part)), share=None)
    quarter = np.broadcast_to(mixture / 4, found.shape)
    for first, last, expected in (
        (0, start - FADE, estimate),
        (start, stop, quarter),
        (stop + FADE, SONG, estimate),
    ):
        inside = slice(first, last)
        np.testing.assert_allclose(found[..., inside], expected[..., inside], atol=1e-6)


@pytest.mark.parametrize("by_frequency", [True, False])
def test_nothing_estimated_shares_all_of_the_mixture_out(
    song: SharedSound, mixture: Audio, by_frequency: bool
) -> None:
    for parts in ((None, None), (Coverage(SONG), None), (Coverage(SONG), Coverage(SONG))):
        found = together(song, *parts, by_frequency=by_frequency)
        assert found.shape == (4, 2, SONG)
        np.testing.assert_allclose(found.sum(axis=0), mixture, atol=1e-5)
        assert all(np.square(stem).mean() > 1e-4 for stem in found)


def test_a_split_by_frequency_gives_stems_what_music_has_there(song: SharedSound) -> None:
    time = np.arange(SONG) / SAMPLE_RATE
    for hertz, loudest in ((90, "bass"), (600, "vocals"), (2400, "other"), (12_000, "drums")):
        tone = np.tile(np.sin(2 * np.pi * hertz * time), (2, 1)).astype(np.float32)
        song.write(0, tone)
        found = together(song, by_frequency=True)
        assert STEMS[int(np.square(found).sum(axis=(1, 2)).argmax())] == loudest
        np.testing.assert_allclose(found.sum(axis=0), tone, atol=1e-5)


@pytest.mark.parametrize("is_begun", [False, True])
def test_a_split_by_frequency_learns_from_the_song_where_its_stems_are_known(
    song: SharedSound, is_begun: bool
) -> None:
    # The vocals sing where in music the bass plays; nothing else is to be heard.
    time = np.arange(SONG) / SAMPLE_RATE
    tone = np.tile(np.sin(2 * np.pi * 90 * time), (2, 1)).astype(np.float32)
    song.write(0, tone)
    stems = np.stack([tone if stem == "vocals" else np.zeros_like(tone) for stem in STEMS])
    known = (0, SONG // 2)
    estimates = Estimates(SONG, tfc_tdf=covering(stems, known) if is_begun else Coverage(SONG))
    if not is_begun:
        for stem in ("bass", "drums"):
            assert estimates.shares is None
            estimates.alone[stem] = covering(stems[[STEMS.index(stem)]], known)
            estimates.learn_shares(song)
        estimates.alone["vocals"] = covering(stems[[STEMS.index("vocals")]], known)
    estimates.learn_shares(song)
    found = np.concatenate([*assembled(song, estimates, can_split=lambda _: True)], axis=-1)
    estimates.close()
    np.testing.assert_allclose(found.sum(axis=0), tone, atol=1e-5)
    loudest = np.square(found[..., SONG // 2 + FADE :]).sum(axis=(1, 2)).argmax()
    assert STEMS[int(loudest)] == "vocals"


def test_silence_tells_nothing_of_a_song_s_shares() -> None:
    silent = song_shares(np.zeros((4, 2, SAMPLE_RATE), np.float32))
    np.testing.assert_allclose(silent.sum(axis=0), 1, atol=1e-5)
    bass, vocals = STEMS.index("bass"), STEMS.index("vocals")
    assert silent[bass, 20] > 10 * silent[vocals, 20]  # about 90 Hz


def test_a_split_by_frequency_has_no_seams(song: SharedSound, mixture: Audio) -> None:
    found = together(song, by_frequency=True)
    again = covering(found, (0, SAMPLE_RATE), (2 * SAMPLE_RATE, SONG))
    # What is read in blocks of its own is what was there: blocks leave no trace.
    whole = together(song, again, by_frequency=True)
    np.testing.assert_allclose(whole.sum(axis=0), mixture, atol=1e-5)
    middle = slice(SAMPLE_RATE + 8192, 2 * SAMPLE_RATE - 8192)
    np.testing.assert_allclose(whole[..., middle], found[..., middle], atol=1e-4)
    assert SONG > 2 * BLOCK_FRAMES


@pytest.mark.parametrize("by_frequency", [True, False])
@pytest.mark.parametrize("num_parts", [1, 2])
def test_estimates_that_add_up_to_the_mixture_do_so_through_every_fade(
    song: SharedSound,
    mixture: Audio,
    rng: np.random.Generator,
    num_parts: int,
    by_frequency: bool,
) -> None:
    splits = rng.uniform(0, 1, (2, 4, 1, 1)).astype(np.float32)
    first, second = splits / splits.sum(axis=1, keepdims=True) * mixture
    # The first two overlap by less than a fade: too little for another stretch between them.
    tfc_tdf = covering(first, (0, 50_000), (47_000, 100_000), (SONG - 40_000, SONG))
    demucs = covering(second, (55_000, 140_000)) if num_parts == 2 else None
    # Shares that differ by stem do not add up to the mixture even in the system's own blend.
    share = dict.fromkeys(STEMS, 0.6)
    found = together(song, tfc_tdf, demucs, share=share, by_frequency=by_frequency)
    np.testing.assert_allclose(found.sum(axis=0), mixture, atol=1e-5)


def test_a_hole_too_small_to_be_filled_is_no_silence(song: SharedSound, mixture: Audio) -> None:
    parts = np.tile(mixture / 4, (4, 1, 1))
    found = together(song, covering(parts.astype(np.float32), (0, SONG // 2), (SONG // 2, SONG)))
    np.testing.assert_allclose(found, parts, atol=1e-6)


def test_stems_alone_leave_the_rest_to_the_others(
    song: SharedSound, mixture: Audio, estimate: Audio
) -> None:
    start, stop = SAMPLE_RATE, 3 * SAMPLE_RATE
    vocals = STEMS.index("vocals")
    alone: dict[Stem, Coverage] = {"vocals": covering(estimate[vocals][None], (start, stop))}
    found = together(song, Coverage(SONG), alone=alone)
    np.testing.assert_allclose(found.sum(axis=0), mixture, atol=1e-5)
    middle = slice(start + FADE, stop - FADE)
    np.testing.assert_allclose(found[vocals][..., middle], estimate[vocals][..., middle], atol=1e-6)
    rest = (mixture - estimate[vocals])[..., middle] / 3
    np.testing.assert_allclose(found[0][..., middle], rest, atol=1e-6)
    np.testing.assert_allclose(found[vocals][..., :start], mixture[..., :start] / 4, atol=1e-6)


def test_all_stems_alone_are_what_they_are(song: SharedSound, estimate: Audio) -> None:
    alone = {
        stem: covering(one[None], (0, SONG)) for stem, one in zip(STEMS, estimate, strict=True)
    }
    found = together(song, Coverage(SONG), alone=alone, by_frequency=True)
    np.testing.assert_allclose(found, estimate, atol=1e-6)


def test_two_halves_are_one_but_for_rounding(
    song: SharedSound, estimate: Audio, other_estimate: Audio
) -> None:
    half = SONG // 2
    halves = covering(estimate, (0, half), (half - FADE, SONG))
    found = together(song, halves, covering(other_estimate, (0, SONG)))
    blend = SHARES * estimate + (1 - SHARES) * other_estimate
    np.testing.assert_allclose(found, blend, atol=1e-6)


@pytest.mark.parametrize("by_frequency", [True, False])
def test_estimates_that_do_not_add_up_end_without_a_click(
    song: SharedSound, estimate: Audio, by_frequency: bool
) -> None:
    song.write(0, np.full((2, SONG), 0.1, np.float32))
    half = SONG // 2
    part = covering(np.full_like(estimate, 0.2), (0, half))
    found = together(song, part, by_frequency=by_frequency)
    # Windows of a split by frequency reach over the fade's end.
    np.testing.assert_allclose(found[..., : half - FADE], 0.2, atol=1e-3)
    steps = np.abs(np.diff(found[..., 8192 : SONG - 8192]))
    assert steps.max() < 2 * 0.2 / FADE
