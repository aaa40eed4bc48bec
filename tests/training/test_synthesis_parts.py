"""What songs are put together from, as far as it needs no Debian packages."""

import dataclasses
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from numpy.random import Generator, default_rng

from my_submission.stems import SAMPLE_RATE, STEMS, Audio, Stem
from training.synthesis import effects, statistics, tone
from training.synthesis.composition import Plan, compose
from training.synthesis.drum_kits import Layer, strike
from training.synthesis.electronic_kit import electronic_kit
from training.synthesis.layers import KINDS, layer_notes
from training.synthesis.notes import Hit, Note
from training.synthesis.rhythm_section import bass_notes, drum_hits
from training.synthesis.synth import draw_patch, play


def frequency(sound: npt.NDArray[np.float32]) -> float:
    """Give the frequency at which a sound's spectrum peaks, in Hz."""
    spectrum = np.abs(np.fft.rfft(sound * np.hanning(len(sound))))
    return float(np.argmax(spectrum)) * SAMPLE_RATE / len(sound)


class TestComposition:
    """What is played."""

    @pytest.fixture(params=range(12))
    def plan(self, request: pytest.FixtureRequest) -> Plan:
        return compose(default_rng(request.param), 40.0)

    def test_sections_follow_each_other_to_the_end(self, plan: Plan) -> None:
        bars = [bar for section in plan.sections for bar in section.bars]
        assert bars == list(range(len(bars)))
        assert plan.time(len(bars), 0) * SAMPLE_RATE >= plan.num_samples

    def test_full_songs_have_all_stems_all_the_time(self, rng: Generator) -> None:
        plan = compose(rng, 40.0, full=True)
        assert all(section.active == set(STEMS) for section in plan.sections)

    def test_stems_play_only_in_their_sections(self, plan: Plan, rng: Generator) -> None:
        slack = 0.1  # humans are not exact
        bar = plan.beats_per_bar * plan.beat
        for stem, events in (
            ("drums", [hit.start for hit in drum_hits(plan, rng)]),
            ("bass", [note.start for note in bass_notes(plan, rng)]),
        ):
            for section in plan.sections:
                if stem not in section.active:
                    start = section.bars.start * bar + slack
                    end = section.bars.stop * bar - slack
                    assert not any(start < event < end for event in events)

    @pytest.mark.parametrize("kind", sorted({kind for kinds in KINDS.values() for kind in kinds}))
    def test_layers_have_playable_notes(self, kind: str, rng: Generator) -> None:
        plan = compose(rng, 40.0, full=True)
        everywhere = frozenset(section.kind for section in plan.sections)
        notes = layer_notes(plan, kind, everywhere, 60, rng)
        assert notes
        assert all(20 < note.pitch < 110 and note.duration > 0 for note in notes)
        assert all(0 < note.velocity < 128 for note in notes)


class TestInstruments:
    """Instruments that need no Debian packages."""

    def test_synthesizer_plays_in_tune(self, rng: Generator) -> None:
        patch = dataclasses.replace(
            draw_patch(rng, "lead"), waveform="sine", unison=1, fm_index=0.0, vibrato_cents=0.0
        )
        sound = play(patch, [Note(0.0, 1.0, 68, 100)], SAMPLE_RATE, rng, tuning=1.0)
        assert frequency(sound[0]) == pytest.approx(440, abs=1.5)

    @pytest.mark.parametrize("role", ["bass", "pad", "lead"])
    def test_patches_stay_inside_the_song(self, role: str, rng: Generator) -> None:
        notes = [Note(0.5, 9.0, 50, 100), Note(9.0, 1.0, 50, 100)]
        sound = play(draw_patch(rng, role), notes, SAMPLE_RATE, rng)  # type: ignore[arg-type]
        assert sound.shape == (2, SAMPLE_RATE)
        assert np.isfinite(sound).all() and np.abs(sound).max() > 0.01

    def test_electronic_kit_plays_every_piece(self, rng: Generator) -> None:
        for piece, layers in electronic_kit(rng).items():
            sound = strike({piece: layers}, [Hit(0.1, piece, 0.9)], SAMPLE_RATE, rng)
            assert np.isfinite(sound).all() and np.abs(sound).max() > 0.05
            assert not sound[:, : int(0.09 * SAMPLE_RATE)].any()

    def test_closing_hat_stops_the_open_one(self, rng: Generator) -> None:
        ring = np.ones((2, SAMPLE_RATE), np.float32)
        click = np.ones((2, 10), np.float32)
        kit = {"hat_open": [Layer(0, 1, 1, ring)], "hat_closed": [Layer(0, 1, 1, click)]}
        hits = [Hit(0.2, "hat_closed", 1.0), Hit(0.0, "hat_open", 1.0)]
        sound = strike(kit, hits, SAMPLE_RATE, rng)
        assert sound[1, int(0.1 * SAMPLE_RATE)] > 0.9
        assert not sound[:, int(0.25 * SAMPLE_RATE) :].any()

    def test_missing_piece_is_played_on_the_nearest(self, rng: Generator) -> None:
        kit = {"snare": [Layer(0, 1, 1, np.ones((2, 10), np.float32))]}
        assert strike(kit, [Hit(0.0, "rim", 1.0)], 100, rng).any()
        assert not strike(kit, [Hit(0.0, "kick", 1.0)], 100, rng).any()


class TestEffects:
    """Studio effects."""

    @pytest.fixture
    def noise(self, rng: Generator) -> Audio:
        return rng.normal(0, 0.1, (2, SAMPLE_RATE)).astype(np.float32)

    def test_filters_take_away_what_they_should(self, noise: Audio) -> None:
        def power(audio: Audio, low: float, high: float) -> float:
            spectrum = np.abs(np.fft.rfft(audio[0])) ** 2
            return float(spectrum[int(low) : int(high)].sum())

        assert power(effects.filtered(noise, effects.low_pass(1000)), 8000, 16000) < 1e-2 * power(
            noise, 8000, 16000
        )
        assert power(effects.filtered(noise, effects.high_pass(1000)), 20, 100) < 1e-3 * power(
            noise, 20, 100
        )
        louder = power(effects.filtered(noise, effects.peak(3000, 6, 1)), 2950, 3050)
        assert louder / power(noise, 2950, 3050) == pytest.approx(10**0.6, rel=0.02)
        shelf = power(effects.filtered(noise, effects.high_shelf(1000, 6)), 15000, 20000)
        assert shelf / power(noise, 15000, 20000) == pytest.approx(10**0.6, rel=0.02)

    def test_compressor_lowers_the_crest(self, noise: Audio) -> None:
        noise[:, 20000:21000] *= 8
        pressed = effects.compress(noise, threshold_db=-12, ratio=8, attack_ms=1, release_ms=50)
        crest, before = (np.abs(a).max() / a.std() for a in (pressed, noise))
        assert crest < 0.8 * before

    def test_rooms_and_echoes_keep_length_and_beginning(self, rng: Generator) -> None:
        click = np.zeros((2, SAMPLE_RATE), np.float32)
        click[:, 100] = 1
        room = effects.reverb(click, rng, seconds=0.8, pre_delay=0.01, wet=0.3, damping_hz=4000)
        repeats = effects.echo(click, delay=0.2, feedback=0.5, wet=0.5, ping_pong=True)
        swung = effects.chorus(click, rate_hz=1, depth_ms=1, wet=0.5)
        for audio in (room, repeats, swung):
            assert audio.shape == click.shape and audio[0, 100] == pytest.approx(1, abs=1e-3)
            assert np.abs(audio[:, 200:]).max() > 0.01

    @pytest.mark.parametrize("square", [False, True])
    def test_tremolo_swings_the_level(self, square: bool) -> None:
        steady = np.ones((2, SAMPLE_RATE), np.float32)
        swung = effects.tremolo(steady, rate_hz=2, depth=0.6, square=square, apart=True)
        assert swung.max() == pytest.approx(1, abs=1e-3)
        assert swung.min() == pytest.approx(0.4, abs=1e-3)
        np.testing.assert_allclose(swung.sum(axis=0), 1.4, atol=1e-3)

    def test_saturation_of_silence_is_silence(self) -> None:
        silence = np.zeros((2, 100), np.float32)
        assert not effects.saturate(silence, 20, 0.2).any()
        assert effects.active_rms(silence) == 0

    def test_panning_keeps_the_middle_where_it_is(self, noise: Audio) -> None:
        np.testing.assert_allclose(effects.place(noise, pan=0, width=1), noise, atol=1e-6)
        left = effects.place(noise, pan=-1, width=0)
        assert np.abs(left[1]).max() < 1e-6 < np.abs(left[0]).max()


class TestTone:
    """Spectra of stems."""

    @pytest.mark.parametrize("stem", STEMS)
    def test_dull_noise_comes_near_the_usual_spectrum(self, stem: Stem, rng: Generator) -> None:
        noise = rng.normal(0, 0.1, (2, SAMPLE_RATE)).astype(np.float32)
        dull = effects.filtered(noise, *[effects.low_pass(500)] * 2, effects.high_pass(60))
        usual = np.array(tone.USUAL_DB[stem])[1:8]
        before, after = (
            np.abs(tone.octave_levels(audio)[1:8] - usual).mean()
            for audio in (dull, tone.match_tone(dull, rng, stem))
        )
        assert after < 0.5 * before

    def test_loudness_stays_about_the_same(self, rng: Generator) -> None:
        noise = rng.normal(0, 0.1, (2, SAMPLE_RATE)).astype(np.float32)
        assert 0.5 < tone.match_tone(noise, rng, "other").std() / 0.1 < 2

    def test_silence_stays_silence(self, rng: Generator) -> None:
        assert not tone.match_tone(np.zeros((2, 100), np.float32), rng, "drums").any()


class TestStatistics:
    """What the command about songs measures."""

    def test_tone_beside_a_click(self) -> None:
        time = np.arange(2 * SAMPLE_RATE) / SAMPLE_RATE
        sine = np.tile(0.5 * np.sin(2 * np.pi * 1000 * time), (2, 1)).astype(np.float32)
        clicks = np.zeros_like(sine)
        clicks[0, SAMPLE_RATE // 4 :: SAMPLE_RATE // 2] = 0.9
        silence = np.zeros_like(sine)
        rows = statistics.measure(
            {"bass": silence, "drums": clicks, "other": sine, "vocals": silence}
        )
        assert rows["other"]["crest"] == pytest.approx(3.01, abs=0.05)
        assert rows["other"]["1000 Hz"] == pytest.approx(0, abs=0.1)
        # 0 dB of full scale in both channels is 0 LUFS at 1 kHz, give or take the K-weighting.
        assert rows["other"]["loudness"] == pytest.approx(-6, abs=1)
        assert rows["drums"]["onsets"] == pytest.approx(2, abs=0.6)
        assert rows["drums"]["side 120"] == pytest.approx(0, abs=0.1)
        assert rows["vocals"]["active"] == 0 and rows["other"]["active"] == 1

    def test_folder_without_songs_is_said_in_one_line(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert statistics.main([str(tmp_path)]) == 1
        assert capsys.readouterr().err.splitlines() == [
            f"{tmp_path}: no songs: give a folder that holds SONG/bass.flac"
        ]
