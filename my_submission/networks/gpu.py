"""Networks on a CUDA GPU: one stream of work, copies beside it, batches that fit its memory."""

import functools
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from my_submission.errors import DemixError
from my_submission.stems import Audio

MAX_BATCH = 8
"""Chunks at once, at most: a few fill any GPU, and a song of 4 minutes has 20 to 100."""

ACTIVATIONS = 96
"""A pass's memory over its spectrogram's. The widest published networks hold 48 channels for a
spectrogram's 4, and hardly more than 8 such activations at a time, with what cuDNN works in."""

FREE_SHARE = 8
"""A network's batch takes an eighth of the free memory: a system has four networks, each keeps its
own, and Demucs comes on top."""

_QUEUEING = threading.RLock()
"""Threads queue their work one after the other: streams and torch's settings are everybody's."""


class Gpu:
    """One GPU: its stream of work, and a stream of copies each way, so that copies overlap work.

    All networks of a GPU queue their work on `compute`, torch's and onnxruntime's alike, so each
    finds what the last one left without anybody waiting for it. Torch's default stream would not
    do: it is number 0, which onnxruntime takes for none given, and onnxruntime's own stream waits
    for nothing of torch's.

    Args:
        device: ``cuda:N``.

    Raises:
        DemixError: There is no such GPU.
    """

    def __init__(self, device: torch.device) -> None:
        if not torch.cuda.is_available():
            raise DemixError(f"device {device} is not there: torch finds no CUDA GPU; use -d cpu")
        self.device = device
        stream: Callable[[torch.device], torch.cuda.Stream] = torch.cuda.Stream
        self.compute = stream(device)
        self._uploads, self._downloads = stream(device), stream(device)

    @torch.inference_mode()
    def start(self, batch: Audio, estimate: Callable[[Tensor], Tensor]) -> Callable[[], Audio]:
        """Queue a batch's way to the GPU, through `estimate` and back, and wait for nothing.

        Args:
            batch: float32, of any shape.
            estimate: Maps a tensor on the GPU to another, by work on `compute`.

        Returns:
            What waits for the result and gives it.

        Raises:
            DemixError: The GPU has too little memory. What is returned raises it where the work
                failed.
        """
        try:
            with _QUEUEING:
                found, done = self._queue(batch, estimate)
        except torch.OutOfMemoryError as error:
            raise DemixError(
                f"device {self.device} has too little memory for {len(batch)} chunk(s) at once: "
                "end what else runs on it, or use -d cpu"
            ) from error

        def finish() -> Audio:
            try:
                done.synchronize()
            except RuntimeError as error:
                reason = str(error).split("\n")[0][:160]
                raise DemixError(f"device {self.device} failed ({reason})") from error
            array: Audio = found.numpy()
            return array

        return finish

    def _queue(
        self, batch: Audio, estimate: Callable[[Tensor], Tensor]
    ) -> tuple[Tensor, torch.cuda.Event]:
        """Give where the result will be in main memory, and what happens when it is there."""
        # Copies from and to pinned memory need nobody to wait. The allocators keep memory that the
        # stream which asked for it still uses; of other streams `record_stream` tells them.
        with torch.cuda.stream(self._uploads):
            on_device = torch.from_numpy(batch).pin_memory().to(self.device, non_blocking=True)
        self.compute.wait_stream(self._uploads)
        on_device.record_stream(self.compute)
        with torch.cuda.stream(self.compute):
            result = estimate(on_device).contiguous()
        self._downloads.wait_stream(self.compute)
        result.record_stream(self._downloads)
        with torch.cuda.stream(self._downloads):
            found = torch.empty(result.shape, dtype=result.dtype, pin_memory=True)
            found.copy_(result, non_blocking=True)
        return found, self._downloads.record_event()

    def batch_size(self, spectrogram_bytes: int) -> int:
        """Give how many chunks one network may take at once, by the memory that is free now.

        Args:
            spectrogram_bytes: Size of one chunk's spectrogram, ``[4, dim_f, num_frames]``.
        """
        free, _ = torch.cuda.mem_get_info(self.device)
        return batch_that_fits(free, spectrogram_bytes)


def batch_that_fits(free_bytes: int, spectrogram_bytes: int) -> int:
    """Give the chunks whose passes fit a network's share of the free memory, 1 at least."""
    fitting = free_bytes // FREE_SHARE // (ACTIVATIONS * spectrogram_bytes)
    return max(1, min(MAX_BATCH, fitting))


@functools.cache
def gpu(device: torch.device) -> Gpu:
    """Give the GPU, the same object each time, since its networks share a stream."""
    return Gpu(device)


def run_on(device: torch.device, batch: Audio, estimate: Callable[[Tensor], Tensor]) -> Audio:
    """Run a function of tensors on `device` with what lies in main memory, and wait for it.

    On the CPU nothing is copied.
    """
    if device.type == "cuda":
        return gpu(device).start(batch, estimate)()
    result: Audio = estimate(torch.from_numpy(batch)).numpy()
    return result


@contextmanager
def float32_products(*, allow_tf32: bool = False) -> Iterator[None]:
    """Let torch multiply float32 on a GPU as said inside, whatever it did before.

    By default it rounds what goes into convolutions to TF32, 10 bits behind the point, and may add
    up products of float16 in float16. Its settings are the whole process's: other threads wait to
    change them until they are put back.
    """
    backends: Any = torch.backends
    matmul = backends.cuda.matmul
    switches = (backends.cudnn.conv, backends.cudnn.rnn, matmul)
    with _QUEUEING:
        before = [switch.fp32_precision for switch in switches]
        float16_sums = matmul.allow_fp16_reduced_precision_reduction
        try:
            for switch in switches:
                switch.fp32_precision = "tf32" if allow_tf32 else "ieee"
            matmul.allow_fp16_reduced_precision_reduction = False
            yield
        finally:
            for switch, precision in zip(switches, before, strict=True):
                switch.fp32_precision = precision
            matmul.allow_fp16_reduced_precision_reduction = float16_sums
