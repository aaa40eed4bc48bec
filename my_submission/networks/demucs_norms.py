"""The norms within the Demucs family's residual branches; see `demucs_residual`.

Sums over time are float32 within blocks, which a vector adds up at once, and double between them.
"""

from typing import Any

import numpy as np

from my_submission.networks.demucs_pointwise import NOTHING, gelu
from my_submission.networks.jit import compiled, inlined

BLOCK = 1024
"""Values summed up in float32."""


@inlined
def sum_of(values: Any, mean: Any, squared: bool) -> Any:
    """Sum up the distances from a mean, or their squares, in double from block to block."""
    total = 0.0
    for start in range(0, values.shape[0], BLOCK):
        part: Any = NOTHING
        for value in values[start : start + BLOCK]:
            distance = value - mean
            part += distance * distance if squared else distance
        total += part
    return total


@inlined
def sum_of_products(a: Any, mean_a: Any, b: Any, mean_b: Any) -> Any:
    """Sum up the products of the distances from two means, as `sum_of`."""
    total = 0.0
    for start in range(0, a.shape[0], BLOCK):
        some, others = a[start : start + BLOCK], b[start : start + BLOCK]
        part: Any = NOTHING
        for k in range(some.shape[0]):
            part += (some[k] - mean_a) * (others[k] - mean_b)
        total += part
    return total


@compiled("void(f4[:,:,::1], f4[::1], i8, f4[::1], f4[::1], f4, b1, f4[:,:,::1])")
def squeeze(
    products: Any,
    bias: Any,
    dilation: int,
    gain: Any,
    offset: Any,
    eps: float,
    curved: bool,
    few: Any,
) -> None:
    """Sum up what the taps of a convolution over time give, and normalise each row (GroupNorm).

    Args:
        products: ``[rows, taps * channels, time]``, by taps.
        bias: ``[channels]``.
        dilation: Times between taps, of which the middle one is at its own time.
        gain: ``[channels]``.
        offset: ``[channels]``.
        eps: Added to the variance.
        curved: Whether GELU follows.
        few: ``[rows, channels, time]``, to be written.
    """
    channels, time = few.shape[1], few.shape[2]
    middle = products.shape[1] // channels // 2
    for row in range(few.shape[0]):
        total = 0.0
        for channel in range(channels):
            values, b = few[row, channel], bias[channel]
            source = products[row, middle * channels + channel]
            for t in range(time):
                values[t] = source[t] + b
            for tap in range(2 * middle + 1):
                shift = (tap - middle) * dilation
                if shift == 0 or abs(shift) >= time:
                    continue
                to = values[max(0, -shift) : time - max(0, shift)]
                of = products[row, tap * channels + channel, max(0, shift) : time + min(0, shift)]
                for t in range(to.shape[0]):
                    to[t] += of[t]
            total += sum_of(values, NOTHING, False)
        mean = np.float32(total / (channels * time))
        total = 0.0
        for channel in range(channels):
            total += sum_of(few[row, channel], mean, True)
        rstd = np.float32(1 / np.sqrt(total / (channels * time) + eps))
        for channel in range(channels):
            values, factor = few[row, channel], gain[channel] * rstd
            for t in range(time):
                value = (values[t] - mean) * factor + offset[channel]
                values[t] = gelu(value) if curved else value


@compiled(
    "void(f4[:,:,::1], f4[:,::1], f4[::1], f4[:,::1], f4[::1], f4[::1], f4, f4[:,:,::1], f4[:,::1])"
)
def normalise_spread(
    few: Any,
    spread: Any,
    spread_bias: Any,
    products: Any,
    gain: Any,
    offset: Any,
    eps: float,
    weight: Any,
    bias: Any,
) -> None:
    """Make a linear map of a few channels one that normalises what it gives as well (GroupNorm).

    Args:
        few: ``[rows, hidden, time]``.
        spread: The map, ``[channels, hidden]``.
        spread_bias: ``[channels]``.
        products: ``spread.T @ spread / channels``.
        gain: ``[channels]``.
        offset: ``[channels]``.
        eps: Added to the variance.
        weight: ``[rows, channels, hidden]``, to be written.
        bias: ``[rows, channels]``, to be written.
    """
    hidden, time = few.shape[1], few.shape[2]
    channels = spread.shape[0]
    means = np.empty(hidden, np.float32)
    row_means = np.empty(channels, np.float64)
    for row in range(few.shape[0]):
        values = few[row]
        for h in range(hidden):
            means[h] = np.float32(sum_of(values[h], NOTHING, False) / time)
        # The outputs vary over time, and their means vary among each other.
        variance = 0.0
        for h in range(hidden):
            for k in range(h + 1):
                covariance = sum_of_products(values[h], means[h], values[k], means[k]) / time
                variance += covariance * products[h, k] * (1 if h == k else 2)
        mean = 0.0
        for channel in range(channels):
            total = np.float64(spread_bias[channel])
            for h in range(hidden):
                total += spread[channel, h] * means[h]
            row_means[channel] = total
            mean += total / channels
        for channel in range(channels):
            variance += (row_means[channel] - mean) ** 2 / channels
        rstd = 1 / np.sqrt(variance + eps)
        for channel in range(channels):
            factor = np.float32(gain[channel] * rstd)
            for h in range(hidden):
                weight[row, channel, h] = factor * spread[channel, h]
            bias[row, channel] = offset[channel] + factor * (spread_bias[channel] - mean)
