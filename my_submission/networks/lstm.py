"""An LSTM over a few sequences at once, in the order of work that suits a processor or a GPU."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_sequence, pad_packed_sequence, pad_sequence

from my_submission.networks.matrix import Matrix, taken

BLOCK = 64
"""Steps of an LSTM whose inputs are multiplied by the weights at once."""


class SequencesLstm:
    """What an `nn.LSTM` computes, for several sequences at once on a CPU.

    Most of the time goes into fetching the weights at every step, so all sequences take each step
    together, and the weights lie in memory as they are read (`Matrix`).

    Args:
        lstm: Bidirectional, with biases and without projections. Its matrices are taken away.
        dtype: What its products are computed in.
    """

    def __init__(self, lstm: nn.LSTM, dtype: torch.dtype = torch.float32) -> None:
        self._layers = [
            (_Direction(lstm, f"l{layer}", dtype), _Direction(lstm, f"l{layer}_reverse", dtype))
            for layer in range(lstm.num_layers)
        ]

    @property
    def num_bytes(self) -> int:
        """Memory that the matrices take."""
        directions = [direction for layer in self._layers for direction in layer]
        return sum(d.of_inputs.num_bytes + d.of_state.num_bytes for d in directions)

    def __call__(self, sequences: Sequence[Tensor]) -> Tensor:
        """Compute the output of sequences ``[time, features]``, each of its own length.

        Returns:
            ``[longest, sequences, 2 * hidden_size]``, zero beyond a sequence's length.
        """
        order = sorted(range(len(sequences)), key=lambda index: -len(sequences[index]))
        lengths = [len(sequences[index]) for index in order]
        steps = pad_sequence([sequences[index] for index in order])
        for forward, backward in self._layers:
            # Reversed within its own length, so that each sequence begins with its own end.
            from_end = backward(reverse_each(steps, lengths), lengths)
            steps = torch.cat([forward(steps, lengths), reverse_each(from_end, lengths)], dim=2)
        in_their_order = [order.index(index) for index in range(len(order))]
        return steps[:, in_their_order]


class PackedLstm:
    """As `SequencesLstm`, by torch's own LSTM: for a GPU.

    Args:
        lstm: Bidirectional, on its device; it is changed to `dtype`.
        dtype: What it is computed in.
    """

    def __init__(self, lstm: nn.LSTM, dtype: torch.dtype = torch.float32) -> None:
        self._lstm, self._dtype = lstm.to(dtype), dtype
        self._lstm.flatten_parameters()

    @property
    def num_bytes(self) -> int:
        """Memory that the weights take."""
        return sum(p.numel() * p.element_size() for p in self._lstm.parameters())

    def __call__(self, sequences: Sequence[Tensor]) -> Tensor:
        """Compute what `SequencesLstm` does, in `dtype`."""
        packed = pack_sequence([x.to(self._dtype) for x in sequences], enforce_sorted=False)
        output: Tensor = pad_packed_sequence(self._lstm(packed)[0])[0]
        return output


class _Direction:
    """One direction of one layer."""

    def __init__(self, lstm: nn.LSTM, suffix: str, dtype: torch.dtype) -> None:
        weights = dict(lstm.named_parameters())
        self.of_inputs = Matrix(taken(weights[f"weight_ih_{suffix}"]).to(dtype))
        self.of_state = Matrix(taken(weights[f"weight_hh_{suffix}"]).to(dtype))
        self._bias = (weights[f"bias_ih_{suffix}"] + weights[f"bias_hh_{suffix}"]).detach()
        self._hidden_size = lstm.hidden_size

    def __call__(self, steps: Tensor, lengths: Sequence[int]) -> Tensor:
        """Map ``[time, n, features]`` to ``[time, n, hidden_size]``.

        A sequence leaves at its end, the shortest first. Were it to go on, its state might fade
        into numbers so small that a processor takes ten times as long for them.
        """
        num_steps, rows, features = steps.shape
        hidden = steps.new_zeros(rows, self._hidden_size)
        cell = torch.zeros_like(hidden)
        out = steps.new_zeros(num_steps, *hidden.shape)
        for start in range(0, num_steps, BLOCK):
            rows = sum(length > start for length in lengths)
            block = steps[start : start + BLOCK, :rows]
            from_inputs = self.of_inputs(block.reshape(-1, features)).add_(self._bias)
            for index, gates in enumerate(from_inputs.view(len(block), rows, -1), start):
                rows = sum(length > index for length in lengths)
                hidden, cell = hidden[:rows], cell[:rows]
                gates = self.of_state(hidden).add_(gates[:rows])
                # torch's order: input, forget, cell, output
                admit, keep, new, show = gates.chunk(4, dim=1)
                cell = keep.sigmoid() * cell + admit.sigmoid() * new.tanh()
                hidden = show.sigmoid() * cell.tanh()
                out[index, :rows] = hidden
        return out


def reverse_each(steps: Tensor, lengths: Sequence[int]) -> Tensor:
    """Turn each sequence of ``[time, sequences, features]`` around within its own length."""
    reversed_steps = steps.clone()
    for row, length in enumerate(lengths):
        reversed_steps[:length, row] = steps[:length, row].flip(0)
    return reversed_steps
