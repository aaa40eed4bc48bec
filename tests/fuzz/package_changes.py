"""Checkpoints that load, with something in them that does not fit."""

import io
import random
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

import torch
from demucs.demucs import Demucs
from demucs.hdemucs import HDemucs
from demucs.htdemucs import HTDemucs
from torch import Tensor

from tests.fuzz.mutations import mutated_member

ODD_VALUES: Sequence[object] = (
    *(None, True, 0, 1, 2, 3, 7, -1, 100, 10**6, 10**12, 1 << 70),
    *(0.0, 0.5, -2.5, 1e300, float("nan"), float("inf"), "", "sin", b"x"),
    *([], [1], ["drums"], [0.5], [[1]], {}, (), Fraction(1, 3), Fraction(7, 2)),
)


def odd_tensor(value: Tensor, rng: random.Random) -> object:
    """Give a tensor that is not what another was."""
    changes: list[Callable[[], object]] = [
        lambda: value.reshape(-1),
        lambda: value[None],
        lambda: value[:0] if value.ndim else value,
        lambda: value.sum(),
        lambda: value.to(torch.float8_e4m3fn),
        lambda: value.to(torch.int64),
        lambda: value.to(torch.complex64),
        lambda: value.to_sparse(),
        lambda: value.double(),
        lambda: value * float("inf"),
        lambda: value.reshape(-1)[:1].expand(1 << 33),
        lambda: value.T.contiguous().T if value.ndim == 2 else value,
        lambda: value.to("meta"),
        lambda: torch.nn.Parameter(value.float()),
        lambda: value.tolist(),
        lambda: rng.choice(ODD_VALUES),
    ]
    try:
        return rng.choice(changes)()
    except RuntimeError:  # changed already, to what cannot be changed again
        return value


def _change_state(state: dict[Any, Any], rng: random.Random) -> None:
    """Change, remove or rename a tensor."""
    if not state:
        return
    name = rng.choice(list(state))
    value = state[name]
    kind = rng.random()
    if kind < 0.7 and isinstance(value, Tensor):
        state[name] = odd_tensor(value, rng)
    elif kind < 0.85:
        del state[name]
    else:
        new = rng.choice([f"{name}x", "window", "ds.0.", 7, "x.num_batches_tracked"])
        state[new] = state.pop(name)


def changed_package(data: bytes, rng: random.Random, others: Sequence[bytes]) -> bytes:
    """Damage a checkpoint: what it says, or its bytes.

    Args:
        data: The file, a package of Demucs or a dictionary of tensors.
        rng: Decides where and how.
        others: Files to join it with.
    """
    if rng.random() < 0.4:
        return mutated_member(data, rng, others)
    with torch.serialization.safe_globals([Demucs, HDemucs, HTDemucs, Fraction]):
        content: dict[str, Any] = dict(torch.load(io.BytesIO(data), weights_only=True))
    is_package = "kwargs" in content
    is_zip = is_package or rng.random() < 0.5
    for _ in range(rng.choice((1, 1, 2))):
        if not is_package:
            _change_state(content, rng)
        elif rng.random() < 0.7:
            _change_arguments(content, rng)
        elif isinstance(content["state"], dict):
            content["state"] = dict(content["state"])
            _change_state(content["state"], rng)
    out = io.BytesIO()
    torch.save(content, out, _use_new_zipfile_serialization=is_zip)
    return out.getvalue()


def _change_arguments(content: dict[str, Any], rng: random.Random) -> None:
    kind = rng.random()
    if kind < 0.1:
        content[rng.choice(["klass", "args", "kwargs", "state"])] = rng.choice(ODD_VALUES)
    elif isinstance(content["kwargs"], dict):
        names = [*content["kwargs"], *NAMES]
        content["kwargs"][rng.choice(names)] = rng.choice(ODD_VALUES)


NAMES = """
audio_channels channels channels_time growth nfft wiener_iters end_iters wiener_residual cac depth
rewrite hybrid hybrid_old multi_freqs multi_freqs_depth freq_emb emb_scale emb_smooth kernel_size
time_stride stride context context_enc norm_starts norm_groups dconv_mode dconv_depth dconv_comp
dconv_attn dconv_lstm dconv_init rescale samplerate segment lstm_layers gelu glu normalize resample
bottom_channels t_layers t_emb t_hidden_scale t_heads t_dropout t_max_positions t_norm_in
t_norm_in_group t_group_norm t_norm_first t_norm_out t_max_period t_layer_scale t_gelu
t_weight_pos_embed t_sin_random_shift t_cape_mean_normalize t_cape_augment t_sparse_self_attn
t_sparse_cross_attn t_mask_type t_sparsity t_global_window t_auto_sparsity t_cross_first
use_train_segment
""".split()
"""Arguments of the package's networks."""
