"""Strings, sub bass and sweeps: instruments computed from nothing."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest
from numpy.random import Generator, default_rng

from my_submission.stems import SAMPLE_RATE, Audio
from training.synthesis.channel_strip import megaphone, room, talk
from training.synthesis.composition import Plan, compose
from training.synthesis.guitars import SOUNDS, guitar_layer
from training.synthesis.hand_percussion import percussion_loops
from training.synthesis.notes import Note
from training.synthesis.strings import (
    Instrument,
    acoustic_guitar,
    bass_guitar,
    electric_guitar,
    pluck_notes,
)
from training.synthesis.sub_bass import sub_bass
from training.synthesis.sweeps import sweeps


def cents_off(sound: npt.NDArray[np.float32], key: float) -> float:
    """Give how far the strongest of a sound's first eight partials is from the key's, in cents."""
    hertz = 440 * 2 ** ((key - 69) / 12)
    size = 4 * len(sound)
    spectrum = np.abs(np.fft.rfft(sound * np.hanning(len(sound)), size))
    strongest = np.argmax(spectrum[: int(8.5 * hertz * size / SAMPLE_RATE)]) * SAMPLE_RATE / size
    partial = max(1, round(strongest / hertz))
    return float(1200 * np.log2(strongest / (partial * hertz)))


class TestStrings:
    """Plucked strings."""

    @pytest.mark.parametrize("build", [electric_guitar, acoustic_guitar, bass_guitar])
    @pytest.mark.parametrize("key", [33, 52, 76])
    def test_strings_are_in_tune_and_die_away(
        self, build: Callable[[Generator], Instrument], key: int, rng: Generator
    ) -> None:
        sound = pluck_notes(build(rng), [Note(0.1, 0.8, key, 100)], SAMPLE_RATE, rng)
        assert not sound[: int(0.099 * SAMPLE_RATE)].any()
        assert np.abs(sound[int(0.96 * SAMPLE_RATE) :]).max() < 1e-3  # a body rings on
        assert abs(cents_off(sound[int(0.15 * SAMPLE_RATE) :], key)) < 25
        early, late = (
            float(np.abs(sound[int(t * SAMPLE_RATE) :][:4000]).max()) for t in (0.1, 0.7)
        )
        assert 0.01 < early < 5 and late < early

    def test_palm_stops_the_string_sooner(self) -> None:
        def tail(muted: float) -> float:
            rng = default_rng(3)
            note = Note(0.0, 0.9, 45, 100)
            sound = pluck_notes(electric_guitar(rng), [note], SAMPLE_RATE, rng, muted=muted)
            return float(sound[SAMPLE_RATE // 2 :].std() / sound[: SAMPLE_RATE // 8].std())

        assert tail(1.0) < 0.3 * tail(0.0)


class TestSubBass:
    """Sines that slide."""

    @pytest.mark.parametrize("seed", range(5))
    def test_one_note_at_a_time_below_the_others(self, seed: int) -> None:
        notes = [Note(0.0, 0.4, 36, 110), Note(0.5, 0.4, 69, 110)]
        sound = sub_bass(notes, SAMPLE_RATE, default_rng(seed))
        assert np.array_equal(sound[0], sound[1]) and np.isfinite(sound).all()
        spectrum = np.abs(np.fft.rfft(sound[0])) ** 2
        assert spectrum[:200].sum() > 0.8 * spectrum.sum()


class TestLayers:
    """Guitars and sweeps in a song."""

    @pytest.fixture
    def plan(self) -> Plan:
        return compose(default_rng(4), 4.0, full=True)

    @pytest.mark.parametrize("kind", sorted(SOUNDS))
    def test_guitars_play_where_the_notes_are(self, kind: str, plan: Plan, rng: Generator) -> None:
        notes = [Note(1.0, 0.5, pitch, 90) for pitch in (45, 52, 57)]
        sound, name = guitar_layer(plan, kind, notes, rng)
        assert sound.shape == (2, plan.num_samples) and "guitar" in name
        assert np.abs(sound[:, SAMPLE_RATE : 2 * SAMPLE_RATE]).max() > 0.01
        assert np.abs(sound[:, : int(0.9 * SAMPLE_RATE)]).max() < 1e-3

    def test_sweeps_are_noise_inside_the_song(self, plan: Plan) -> None:
        sounds = [sweeps(plan, default_rng(seed)) for seed in range(6)]
        assert all(sound.shape == (2, plan.num_samples) for sound in sounds)
        assert any(sound.any() for sound in sounds)
        assert all(np.isfinite(sound).all() for sound in sounds)

    def test_shaker_plays_only_with_the_drums(self, rng: Generator) -> None:
        plans = (compose(default_rng(seed), 30.0) for seed in range(50))
        playing = [(plan, list(plan.playing("drums"))) for plan in plans]
        plan = next(plan for plan, some in playing if 0 < len(some) < len(plan.sections))
        silent = [section for section in plan.sections if "drums" not in section.active]
        sound = percussion_loops(plan, None, rng)
        assert np.abs(sound).max() > 0.01 and np.isfinite(sound).all()
        bar = plan.beats_per_bar * plan.beat
        for section in silent:
            first = int((section.first_bar * bar + 1.0) * SAMPLE_RATE)  # the last hit dies away
            last = int((section.bars.stop * bar - 0.1) * SAMPLE_RATE)
            assert not sound[:, first:last].any()


@pytest.mark.parametrize("effect", [room, talk, megaphone])
def test_effects_keep_length_and_silence(
    effect: Callable[[Audio, Generator], Audio], rng: Generator
) -> None:
    silence = np.zeros((2, SAMPLE_RATE // 2), np.float32)
    assert not effect(silence, rng).any()
    noise = rng.normal(0, 0.1, silence.shape).astype(np.float32)
    changed = effect(noise, rng)
    assert changed.shape == noise.shape and np.isfinite(changed).all()
    assert 0.01 < changed.std() < 1
