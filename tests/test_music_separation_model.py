"""What `MySeparationModel` takes and gives: arrays of every form, and one line for the others."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import soundfile

from evaluator.sound import STEMS
from my_submission import DemixError
from my_submission.aicrowd_wrapper import AIcrowdWrapper
from my_submission.music_separation_model import DemixSeparationModel
from my_submission.stems import SAMPLE_RATE
from tests.conftest import GAINS
from tests.scaling_separator import SEPARATOR, ScalingSeparator


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> DemixSeparationModel:
    """Give a model with a separator that scales, and takes no time."""
    monkeypatch.setattr(SEPARATOR, ScalingSeparator)
    return DemixSeparationModel()


def test_every_type_and_form_that_soundfile_gives_is_the_same_sound(
    tmp_path: Path, rng: np.random.Generator, model: DemixSeparationModel
) -> None:
    soundfile.write(tmp_path / "mono.wav", rng.uniform(-0.9, 0.9, 999), SAMPLE_RATE)

    def separated(**options: object) -> npt.NDArray[np.float32]:
        sound, rate = soundfile.read(tmp_path / "mono.wav", **options)
        return model.separate_music_file(sound, rate)[0]["drums"]

    expected = separated()
    assert expected.shape == (999, 2)
    sound = soundfile.read(tmp_path / "mono.wav", dtype="float32")[0]
    np.testing.assert_array_equal(expected, np.float32(GAINS["drums"]) * np.stack([sound] * 2, 1))
    for dtype in ("float32", "int32", "int16"):
        np.testing.assert_array_equal(separated(dtype=dtype), expected)
    np.testing.assert_array_equal(separated(always_2d=True), expected)


@pytest.mark.parametrize(
    ("mixture", "rate", "message"),
    [
        (np.zeros(0), 44_100, r"shape \(0,\) holds no samples"),
        (np.zeros((0, 2)), 44_100, r"shape \(0, 2\) holds no samples"),
        (np.zeros((2, 5, 2)), 44_100, r"shape \(2, 5, 2\)"),
        (np.zeros((5, 9)), 44_100, "9 channels"),
        (np.array([0, np.nan]), 44_100, "NaN or infinity, first in frame 1"),
        (np.array([[0, np.inf]]), 44_100, "NaN or infinity, first in frame 0"),
        (np.array([1e300]), 44_100, "NaN or infinity"),
        (np.zeros(5, np.uint8), 44_100, "type uint8"),
        (np.zeros(5, complex), 44_100, "type complex128"),
        (np.zeros(5), 100, "mixture: sample rate 100 Hz"),
    ],
)
def test_what_is_no_sound_is_refused_in_one_line(
    model: DemixSeparationModel, mixture: npt.NDArray[np.generic], rate: int, message: str
) -> None:
    with pytest.raises(DemixError, match=message) as caught:
        model.separate_music_file(mixture, rate)
    assert "\n" not in str(caught.value)


def test_stems_beyond_full_scale_are_named_and_left_as_they_are(
    tmp_path: Path, model: DemixSeparationModel, capsys: pytest.CaptureFixture[str]
) -> None:
    stems, rates = model.separate_music_file(np.array([[2.5, -3.0], [0.1, 0]]), SAMPLE_RATE)
    assert np.abs(stems["bass"]).max() == pytest.approx(1.2)
    assert capsys.readouterr().out == (
        "beyond full scale, so 16-bit files of it clip: bass (peak 1.200)\n"
    )
    AIcrowdWrapper(str(tmp_path), str(tmp_path)).save_prediction(str(tmp_path / "a"), stems, rates)
    clipped, _ = soundfile.read(tmp_path / "a" / "bass.wav", dtype="int16")
    assert clipped[0].tolist() == [32767, -32768]


def test_a_stem_that_overflows_in_resampling_is_refused(
    model: DemixSeparationModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    square = np.sign(np.sin(np.arange(4000, dtype=np.float32))) * np.float32(3.4e38)
    stems = dict.fromkeys(STEMS, np.stack([square, square]))
    monkeypatch.setattr(ScalingSeparator, "separate_array", lambda *_: dict(stems))
    with pytest.raises(DemixError, match="bass holds NaN or infinity"):
        model.separate_music_file(np.zeros(4000), 48_000)
