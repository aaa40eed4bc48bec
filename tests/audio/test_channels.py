"""Channel layouts, and the mix to stereo."""

import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile

from my_submission.audio.channels import layout_of, to_stereo
from my_submission.errors import DemixError
from tests.audio.sound_files import decoded, int16_noise, run_ffmpeg


def _lavfi(source: str) -> list[str]:
    return ["-f", "lavfi", "-i", source]


@pytest.mark.parametrize("suffix", [".wav", ".flac", ".ogg", ".opus", ".m4a"])
@pytest.mark.parametrize("layout", ["5.1", "7.1"])
def test_each_format_has_its_channels_in_its_own_order(
    tmp_path: Path, suffix: str, layout: str
) -> None:
    # The left and right front are silent, so nothing but the centre and the left surround
    # sounds, the latter an octave higher: a wrong order moves or loses one of them.
    channels = "FL=0*c0|FR=0*c0|FC=c0|LFE=0*c0|BL=c1|BR=0*c0" + "|SL=0*c0|SR=0*c0" * (
        layout == "7.1"
    )
    path = tmp_path / f"film{suffix}"
    tones = [*_lavfi("sine=440:d=1:r=48000"), *_lavfi("sine=880:d=1:r=48000")]
    mix = f"amerge=inputs=2,pan={layout}|{channels}"
    run_ffmpeg([*tones, "-filter_complex", mix, "-b:a", "448k", str(path)])
    spectrum = np.abs(np.fft.rfft(decoded(path)[:, 4_410:-4_410][:, :22_050]))
    spectrum /= spectrum.max()
    tone, octave = 220, 440  # of 2 Hz each
    tone_levels = spectrum[:, tone]
    octave_levels = spectrum[:, octave]
    np.testing.assert_allclose(tone_levels, [1, 1], atol=0.1)
    np.testing.assert_allclose(octave_levels, [1, 0], atol=0.1)


def test_a_masked_layout_is_honoured(tmp_path: Path) -> None:
    assert layout_of("a", 4) == ("FL", "FR", "BL", "BR")
    assert layout_of("a", 4, mask=0x107) == ("FL", "FR", "FC", "BC")
    assert layout_of("a", 4, mask=0x3) == ("FL", "FR", "BL", "BR")  # a mask of two channels
    assert layout_of("a", 2, mask=0x30) == ("FL", "FR")
    with pytest.raises(DemixError, match=r"film\.wav: channel mask 0xc3"):
        layout_of("film.wav", 4, mask=0xC3)
    path = tmp_path / "film.wav"
    frames = np.array([[0, 0, 0, 0.5]], np.float32)
    soundfile.write(path, frames, 44_100, format="WAVEX", subtype="FLOAT")
    contents = path.read_bytes()
    mask_at = contents.index(b"fmt ") + 8 + 20
    path.write_bytes(contents[:mask_at] + struct.pack("<I", 0x107) + contents[mask_at + 4 :])
    np.testing.assert_array_equal(decoded(path), [[0.25], [0.25]])  # back centre, -6 dB


def test_downmix_does_not_depend_on_blocks(rng: np.random.Generator) -> None:
    frames = int16_noise(rng, 1_000, 6).T
    layout = layout_of("a", 6)
    whole = to_stereo(frames, layout)
    blocks = [to_stereo(frames[start : start + 7], layout) for start in range(0, 1_000, 7)]
    np.testing.assert_array_equal(np.concatenate(blocks), whole)
