"""What the demucs package's networks do to each value by itself, in one pass over memory.

Torch takes a pass for each bias, activation, product and sum. Between them a value lies in memory
for no reason, and a sigmoid costs more than the multiplications around it. Here exponentials and
GELU are short polynomials that a vector goes through in a few instructions.
"""

from typing import Any

import numpy as np

from my_submission.networks.jit import compiled, inlined

LOG2_E = np.float32(np.log2(np.e))
ROOT_HALF = np.float32(np.sqrt(0.5))
HALF, ONE, NOTHING = np.float32(0.5), np.float32(1), np.float32(0)

LEAST, MOST = np.float32(-126), np.float32(126)
"""Powers of two that float32 has."""
ROUNDING = np.float32(127.5)

# 2 to the power of -0.5 to 0.5.
P0, P1, P2, P3, P4, P5, P6 = (
    np.float32(np.log(2) ** power / divisor)
    for power, divisor in enumerate((1, 1, 2, 6, 24, 120, 720))
)

# erf(z) = z * numerator(z * z) / denominator(z * z), within 4; beyond, float32 knows only 1.
N0, N1, N2, N3, N4, N5, N6 = (
    np.float32(value)
    for value in (
        -1.60960333262415e-02,
        -2.95459980854025e-03,
        -7.34990630326855e-04,
        -5.69250639462346e-05,
        -2.10102402082508e-06,
        2.77068142495902e-08,
        -2.72614225801306e-10,
    )
)
D0, D1, D2, D3, D4 = (
    np.float32(value)
    for value in (
        -1.42647390514189e-02,
        -7.37332916720468e-03,
        -1.68282697438203e-03,
        -2.13374055278905e-04,
        -1.45660718464996e-05,
    )
)
FAR = np.float32(4)


@inlined
def power_of_two(exponent: Any) -> Any:
    """Compute 2 to the power of a float32; the least and the most that there is beyond them."""
    t = LEAST if exponent < LEAST else exponent
    t = MOST if t > MOST else t  # a NaN passes both
    n = np.int32(t + ROUNDING)
    f = t - np.float32(n - np.int32(127))
    p = P0 + f * (P1 + f * (P2 + f * (P3 + f * (P4 + f * (P5 + f * P6)))))
    return p * np.int32(n << np.int32(23)).view(np.float32)


@inlined
def sigmoid(x: Any) -> Any:
    """Compute 1 / (1 + exp(-x))."""
    return ONE / (ONE + power_of_two(-LOG2_E * x))


@inlined
def gelu(x: Any) -> Any:
    """Compute x times the normal distribution's function of x."""
    z = x * ROOT_HALF
    z = -FAR if z < -FAR else z
    z = FAR if z > FAR else z
    s = z * z
    numerator = N0 + s * (N1 + s * (N2 + s * (N3 + s * (N4 + s * (N5 + s * N6)))))
    denominator = D0 + s * (D1 + s * (D2 + s * (D3 + s * D4)))
    half = HALF * x
    return half + half * (z * numerator / denominator)


@compiled("void(f4[:,:,::1], f4[::1])")
def add_bias_gelu(x: Any, bias: Any) -> None:
    """Add a channel's bias and apply GELU, in place on ``[rows, channels, time]``."""
    for row in range(x.shape[0]):
        for channel in range(x.shape[1]):
            values, b = x[row, channel], bias[channel]
            for t in range(values.shape[0]):
                values[t] = gelu(values[t] + b)


@compiled("void(f4[:,:,::1], f4[::1], f4[:,::1], f4[:,:,::1], i8, i8)")
def gate(x: Any, bias: Any, offset: Any, out: Any, first: int, start: int) -> None:
    """Add the bias, apply the gate (GLU), and add an offset.

    Args:
        x: ``[rows, 2 * channels, time]``; its second half is the gate.
        bias: ``[2 * channels]``.
        offset: ``[all rows, channels]``, or without rows where there is none.
        out: ``[all rows, channels, all time]``, of which a part is written.
        first: The part's first row.
        start: Its first time.
    """
    channels, time = x.shape[1] // 2, x.shape[2]
    for row in range(x.shape[0]):
        for channel in range(channels):
            contents, gates = x[row, channel], x[row, channels + channel]
            a, b = bias[channel], bias[channels + channel]
            c = offset[first + row, channel] if offset.shape[0] > 0 else NOTHING
            to = out[first + row, channel, start : start + time]
            for t in range(time):
                to[t] = (contents[t] + a) * sigmoid(gates[t] + b) + c


@compiled("void(f4[:,:,::1], f4[:,::1], f4[:,:,::1], i8)")
def add_gated(x: Any, bias: Any, out: Any, start: int) -> None:
    """Add the bias of ``[rows, 2 * channels, time]``, gate it, and add it to a part of `out`.

    Args:
        x: As for `gate`.
        bias: ``[rows, 2 * channels]``.
        out: ``[rows, channels, all time]``.
        start: The part's first time.
    """
    channels, time = x.shape[1] // 2, x.shape[2]
    for row in range(x.shape[0]):
        for channel in range(channels):
            contents, gates = x[row, channel], x[row, channels + channel]
            a, b = bias[row, channel], bias[row, channels + channel]
            to = out[row, channel, start : start + time]
            for t in range(time):
                to[t] += (contents[t] + a) * sigmoid(gates[t] + b)
