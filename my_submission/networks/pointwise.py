"""What a TFC-TDF network does to each value by itself, on planes with their channels together.

Planes are ``[bins, frames, channels]``; see `numba_tfc_tdf`.
"""

from typing import Any

import numpy as np

from my_submission.networks.jit import compiled, relu


@compiled("void(f4[:,:,:], f4[:,::1], f4[::1], f4[:,:,::1])")
def enter(spectrogram: Any, weight: Any, bias: Any, y: Any) -> None:
    """Apply the first layer and ReLU: ``[4, bins, frames]`` to the inside of a plane."""
    for f in range(spectrogram.shape[1]):
        for t in range(spectrogram.shape[2]):
            out = y[f, t + 1]
            a, b = spectrogram[0, f, t], spectrogram[1, f, t]
            c, d = spectrogram[2, f, t], spectrogram[3, f, t]
            for k in range(bias.shape[0]):
                sums = a * weight[0, k] + b * weight[1, k] + c * weight[2, k] + d * weight[3, k]
                out[k] = relu(sums + bias[k])


@compiled("void(f4[:,:,::1], f4[:,::1], f4[::1], f4[:,:,:])")
def leave(x: Any, weight: Any, bias: Any, spectrogram: Any) -> None:
    """Apply the last layer: the inside of a plane to ``[4, bins, frames]``."""
    for f in range(spectrogram.shape[1]):
        for t in range(spectrogram.shape[2]):
            values = x[f, t + 1]
            for k in range(4):
                total = np.float32(0)
                for c in range(values.shape[0]):
                    total += weight[k, c] * values[c]
                spectrogram[k, f, t] = total + bias[k]


@compiled("void(f4[:,:,::1], f4[::1], f4[::1])")
def norm(values: Any, scale: Any, shift: Any) -> None:
    """Norm and ReLU, in place on ``[..., ..., channels]``."""
    for i in range(values.shape[0]):
        for j in range(values.shape[1]):
            v = values[i, j]
            for c in range(scale.shape[0]):
                v[c] = relu(v[c] * scale[c] + shift[c])


@compiled("void(f4[:,:,::1], f4[::1], f4[::1], f4[:,:,::1], i8, i8)")
def add_normed(values: Any, scale: Any, shift: Any, x: Any, top: int, left: int) -> None:
    """Add values ``[..., ..., channels]``, after norm and ReLU, to a part of a plane."""
    for i in range(values.shape[0]):
        for j in range(values.shape[1]):
            v, out = values[i, j], x[top + i, left + j]
            for c in range(scale.shape[0]):
                out[c] += relu(v[c] * scale[c] + shift[c])


@compiled("void(f4[:,::1], f4[::1])")
def rectify(values: Any, bias: Any) -> None:
    """Add the bias and apply ReLU, in place on ``[frames, channels]``."""
    for i in range(values.shape[0]):
        v = values[i]
        for c in range(bias.shape[0]):
            v[c] = relu(v[c] + bias[c])


@compiled("void(f4[:,::1], f4[::1], f4[:,::1])")
def rectify_and_multiply(values: Any, bias: Any, skip: Any) -> None:
    """Add the bias, apply ReLU and multiply by the skip, in place on ``[frames, channels]``."""
    for i in range(values.shape[0]):
        v, s = values[i], skip[i]
        for c in range(bias.shape[0]):
            v[c] = relu(v[c] + bias[c]) * s[c]
