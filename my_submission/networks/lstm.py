"""An LSTM over a few sequences at once, in the order of work that suits a processor."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

BLOCK = 64
"""Steps of an LSTM whose inputs are multiplied by the weights at once."""


def lstm_of_columns(lstm: nn.LSTM, sequences: Sequence[Tensor]) -> Tensor:
    """Compute what `lstm` does for several sequences at once, on a CPU.

    `torch.nn.LSTM` multiplies the state of the sequences, as rows, by the weights' transpose. With
    sequences as columns the product is faster where they are few.

    Args:
        lstm: Bidirectional, with biases and without projections.
        sequences: Each ``[time, features]``, of its own length.

    Returns:
        ``[longest, sequences, 2 * hidden_size]``, zero beyond a sequence's length.
    """
    order = sorted(range(len(sequences)), key=lambda index: -len(sequences[index]))
    lengths = [len(sequences[index]) for index in order]
    padded = nn.utils.rnn.pad_sequence([sequences[index] for index in order])
    steps = padded.permute(0, 2, 1)
    for layer in range(lstm.num_layers):
        forward = lstm_direction(steps, lengths, direction_weights(lstm, f"l{layer}"))
        # Reversed within its own length, so that each sequence begins with its own end.
        backward = reverse_each(
            lstm_direction(
                reverse_each(steps, lengths), lengths, direction_weights(lstm, f"l{layer}_reverse")
            ),
            lengths,
        )
        steps = torch.cat([forward, backward], dim=1)
    in_their_order = [order.index(index) for index in range(len(order))]
    return steps.permute(0, 2, 1)[:, in_their_order]


def direction_weights(lstm: nn.LSTM, suffix: str) -> tuple[Tensor, Tensor, Tensor]:
    """Give the weights of inputs and state, and the bias, of one layer and direction."""
    inputs, state, bias_inputs, bias_state = (
        getattr(lstm, f"{name}_{suffix}")
        for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    )
    return inputs, state, bias_inputs + bias_state


def lstm_direction(
    steps: Tensor, lengths: Sequence[int], weights: tuple[Tensor, Tensor, Tensor]
) -> Tensor:
    """Run one direction of one layer: ``[time, features, n]`` to ``[time, hidden_size, n]``.

    A sequence leaves at its end, the shortest first. Were it to go on, its state might fade into
    numbers so small that a processor takes ten times as long for them.
    """
    weight_inputs, weight_state, bias = weights
    num_steps, features, columns = steps.shape
    hidden = steps.new_zeros(weight_state.shape[1], columns)
    cell = torch.zeros_like(hidden)
    out = steps.new_zeros(num_steps, *hidden.shape)
    for start in range(0, num_steps, BLOCK):
        columns = sum(length > start for length in lengths)
        block = steps[start : start + BLOCK, :, :columns]
        as_columns = block.permute(1, 0, 2).reshape(features, -1)
        from_inputs = product_of_columns(weight_inputs, as_columns, bias[:, None])
        per_step = from_inputs.view(-1, len(block), columns).permute(1, 0, 2).contiguous()
        for index, gates in enumerate(per_step, start):
            columns = sum(length > index for length in lengths)
            hidden, cell = hidden[:, :columns], cell[:, :columns]
            gates = product_of_columns(weight_state, hidden, gates[:, :columns])
            # torch's order: input, forget, cell, output
            admit, keep, new, show = gates.chunk(4)
            cell = keep.sigmoid() * cell + admit.sigmoid() * new.tanh()
            hidden = show.sigmoid() * cell.tanh()
            out[index, :, :columns] = hidden
    return out


def product_of_columns(weight: Tensor, columns: Tensor, addend: Tensor) -> Tensor:
    """Compute ``addend + weight @ columns``, the product in the weight's dtype."""
    if weight.dtype == columns.dtype:
        return torch.addmm(addend, weight, columns)
    return torch.mm(weight, columns.to(weight.dtype)).float().add_(addend)


def reverse_each(steps: Tensor, lengths: Sequence[int]) -> Tensor:
    """Turn each sequence of ``[time, features, sequences]`` around within its own length."""
    reversed_steps = steps.clone()
    for column, length in enumerate(lengths):
        reversed_steps[:length, :, column] = steps[:length, :, column].flip(0)
    return reversed_steps
