"""Changes on the fly: what they leave alone, and that they stay in their ranges."""

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from my_submission.errors import DemixError
from my_submission.stems import SAMPLE_RATE, STEMS, Audio
from training.augmentation import AUGMENTATIONS, apply, make_chain
from training.augmentation.channel_swap import ChannelSwap
from training.augmentation.equalizer import BELL_HZ, BELL_Q, Curve, Equalizer
from training.augmentation.gain import Gain
from training.augmentation.polarity import Polarity
from training.augmentation.reverb import Reverb, Room, impulse_response
from training.augmentation.stem_drop import StemDrop

CERTAIN: dict[str, dict[str, Any]] = {name: {"probability": 1.0} for name in AUGMENTATIONS}
WITHOUT_DROP = {name: options for name, options in CERTAIN.items() if name != "stem_drop"}


@pytest.fixture
def sound(rng: np.random.Generator) -> Audio:
    """Give a second of stereo noise with a spectrum like music's."""
    white = rng.standard_normal((2, SAMPLE_RATE))
    bins = np.fft.rfft(white)
    bins /= np.sqrt(1 + np.arange(bins.shape[1]) / 50)
    pink: Audio = (0.05 * np.fft.irfft(bins)).astype(np.float32)
    return pink


def draws(augmentation: Any, count: int = 100, *, coherent: bool = False) -> Iterator[Any]:
    rng = np.random.default_rng(5)
    for _ in range(count):
        drawn = augmentation.draw(rng, coherent=coherent)
        assert len(drawn) == len(STEMS)
        yield drawn


def energy_db(sound: Audio) -> float:
    return float(10 * np.log10(np.sum(sound.astype(np.float64) ** 2)))


def test_the_same_seed_gives_the_same_sound(sound: Audio) -> None:
    chain = make_chain(WITHOUT_DROP)
    first = [apply(sound, changes) for changes in chain.draw([1, 5], coherent=False)]
    again = make_chain(WITHOUT_DROP).draw([1, 5], coherent=False)
    other = chain.draw([1, 6], coherent=False)
    for index, changed in enumerate(first):
        assert np.array_equal(changed, apply(sound, again[index]))
        assert not np.allclose(changed, apply(sound, other[index]))
        assert changed.shape == sound.shape and changed.dtype == np.float32


def test_order_and_company_change_no_draw() -> None:
    backwards = dict(reversed(WITHOUT_DROP.items()))
    assert make_chain(backwards).draw([1, 5], coherent=False) == make_chain(WITHOUT_DROP).draw(
        [1, 5], coherent=False
    )
    alone = make_chain({"gain": CERTAIN["gain"]}).draw([1, 5], coherent=False)
    together = make_chain(CERTAIN).draw([1, 5], coherent=False)
    assert [changes[-1] for changes in together] == [changes[0] for changes in alone]


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_probability_zero_changes_nothing(name: str, sound: Audio) -> None:
    chain = make_chain({name: {"probability": 0.0}})
    for number in range(20):
        for changes in chain.draw([number], coherent=False):
            assert apply(sound, changes) is sound


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_a_probability_leaves_what_is_drawn_as_it_was(name: str) -> None:
    often = make_chain({name: {"probability": 1.0}})
    seldom = make_chain({name: {"probability": 0.4}})
    count = 0
    for number in range(100):
        pairs = zip(
            seldom.draw([number], coherent=False), often.draw([number], coherent=False), strict=True
        )
        for some, all_of_them in pairs:
            count += bool(some)
            if name != "stem_drop":  # of which all would be none
                assert not some or some[0][1] == all_of_them[0][1]
    assert 120 < count < 200


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_what_comes_in_stays_as_it_is(name: str, sound: Audio) -> None:
    before = sound.copy()
    sound.setflags(write=False)
    for changes in make_chain({name: {"probability": 0.9}}).draw([3], coherent=False):
        changed = apply(sound, changes)
        assert np.isfinite(changed).all()
    assert np.array_equal(sound, before)


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_silence_stays_silence(name: str) -> None:
    silence = np.zeros((2, 4000), np.float32)
    for changes in make_chain({name: {"probability": 0.9}}).draw([3], coherent=False):
        assert not np.any(apply(silence, changes))


def test_gains_stay_in_their_range(sound: Audio) -> None:
    gain = Gain(min_gain_db=-9.0, max_gain_db=3.0, max_coherent_gain_db=1.0)
    values = np.array(list(draws(gain)))
    assert values.min() >= -9 and values.max() <= 3
    assert values.min() < -8 and values.max() > 2
    coherent = np.array(list(draws(gain, coherent=True)))
    assert np.ptp(coherent, axis=1).max() <= 2
    assert np.ptp(coherent.mean(axis=1)) > 8
    assert energy_db(gain.apply(sound, -5.0)) == pytest.approx(energy_db(sound) - 5, abs=1e-3)


def test_swapped_and_turned_twice_is_as_before(sound: Audio) -> None:
    for augmentation in (ChannelSwap(), Polarity()):
        once = augmentation.apply(sound, True)
        assert not np.array_equal(once, sound)
        assert np.array_equal(augmentation.apply(once, True), sound)
    assert np.array_equal(ChannelSwap().apply(sound, True)[0], sound[1])
    assert np.array_equal(Polarity().apply(sound, True), -sound)


def test_one_moment_of_a_song_stays_one() -> None:
    for augmentation in (ChannelSwap(), Polarity(), Gain(probability=0.5)):
        for drawn in draws(augmentation, coherent=True):
            assert len({value is None for value in drawn}) == 1
        apart = [len({value is None for value in drawn}) for drawn in draws(augmentation)]
        assert max(apart) == 2


def test_some_stems_are_dropped_and_never_all() -> None:
    dropped = np.array([[bool(value) for value in d] for d in draws(StemDrop(probability=0.6))])
    assert 0.3 < dropped.mean() < 0.6
    assert not dropped.all(axis=1).any() and (dropped.sum(axis=1) == 3).any()


def test_an_equalizer_stays_in_its_ranges_and_bounds(sound: Audio) -> None:
    equalizer = Equalizer(probability=1.0, max_gain_db=5.0)
    changes = []
    for drawn in draws(equalizer, 15):
        for curve in drawn:
            assert isinstance(curve, Curve)
            gains = [curve.low_shelf[1], curve.high_shelf[1], *(b.gain_db for b in curve.bells)]
            assert max(map(abs, gains)) <= 5
            for bell in curve.bells:
                assert BELL_HZ[0] <= bell.frequency_hz <= BELL_HZ[1]
                assert BELL_Q[0] <= bell.q <= BELL_Q[1]
            change_db = energy_db(equalizer.apply(sound, curve)) - energy_db(sound)
            assert abs(change_db) <= curve.sum_of_gains_db <= 20
            changes.append(change_db)
    assert max(changes) > 2 and min(changes) < -2


def test_shelves_lift_their_side_only(sound: Audio) -> None:
    def band_db(audio: Audio, low: int, high: int) -> float:
        return energy_db(np.abs(np.fft.rfft(audio))[:, low:high])

    for curve, lifted in (
        (Curve((300.0, 4.0), (), (3000.0, 0.0)), (20, 60)),
        (Curve((300.0, 0.0), (), (3000.0, 4.0)), (15_000, 20_000)),
    ):
        changed = Equalizer().apply(sound, curve)
        assert band_db(changed, *lifted) - band_db(sound, *lifted) == pytest.approx(4, abs=0.3)
        assert band_db(changed, 900, 1100) - band_db(sound, 900, 1100) == pytest.approx(0, abs=0.4)


def test_a_reverb_keeps_energy_and_ranges(sound: Audio) -> None:
    reverb = Reverb(probability=1.0, max_decay_seconds=0.8)
    rooms = [room for drawn in draws(reverb, 5) for room in drawn]
    for room in rooms:
        assert isinstance(room, Room)
        assert 0.2 <= room.decay_seconds <= 0.8 and -24 <= room.wet_db <= -6
        response = impulse_response(room)
        assert np.allclose(10 * np.log10((response**2).sum(axis=1)), room.wet_db, atol=1e-3)
    for room in rooms[:4]:
        changed = reverb.apply(sound, room)
        assert energy_db(changed) == pytest.approx(energy_db(sound), abs=1e-3)
        assert not np.allclose(changed, sound, atol=1e-3)
    assert len({room.seed for room in rooms}) == len(rooms)


def test_a_room_answers_later_and_dies_away() -> None:
    click = np.zeros((2, SAMPLE_RATE), np.float32)
    click[:, 1000] = 1
    room = Room(decay_seconds=0.5, pre_delay_seconds=0.02, wet_db=-6.0, seed=3)
    heard = Reverb().apply(click, room)
    assert not np.abs(heard[:, :1000]).max() > 1e-5
    assert not np.abs(heard[:, 1001:1880]).max() > 1e-5
    tail = heard[:, 1882:]
    levels = [energy_db(tail[:, start : start + 4410]) for start in (4410, 8820, 13230)]
    # 60 dB in half a second are 12 dB in a tenth; a bit more, as high frequencies die faster.
    assert all(10 < first - second < 17 for first, second in pairwise(levels))
    likeness = np.sum(tail[0] * tail[1]) / np.sqrt(np.prod(np.sum(tail**2, axis=1)))
    assert abs(likeness) < 0.3  # the sides differ: a room is wide


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"chorus": {}}, "there is no chorus; there are stem_drop"),
        ({"gain": {"gain_db": 3}}, "augmentations.gain: there is no gain_db; there are"),
        ({"gain": {"max_gain_db": "loud"}}, "max_gain_db='loud': give a number"),
        ({"gain": {"min_gain_db": 7}}, "gain_db from 7 to 6"),
        ({"gain": {"max_gain_db": float("nan")}}, "gain_db from -6 to nan"),
        ({"polarity": {"probability": 1.5}}, "probability=1.5: give a share"),
        ({"equalizer": {"max_gain_db": -1}}, "max_gain_db from 0 to -1"),
        ({"reverb": {"min_decay_seconds": 0}}, "from 0.1 on"),
    ],
)
def test_options_that_make_no_sense(options: dict[str, Any], message: str) -> None:
    with pytest.raises(DemixError, match=message):
        make_chain(options)
