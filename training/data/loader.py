"""Batches of chunks for one process of several, from any place in the run on."""

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.utils.data import DataLoader

from my_submission.errors import DemixError
from training.data.chunks import Chunks
from training.data.tracks import Track

Samples = list[Tensor | DemixError]


@dataclass(frozen=True)
class Shard:
    """What one process takes of each global batch: numbers `rank`, `rank + world_size` and so on.

    So n processes with batches of b see together the chunks of one process with batches of n*b.

    Attributes:
        batch_size: Chunks per batch of one process.
        rank: Number of this process.
        world_size: Number of processes.
    """

    batch_size: int
    rank: int = 0
    world_size: int = 1

    @property
    def global_batch_size(self) -> int:
        """Chunks that all processes take in one step."""
        return self.batch_size * self.world_size

    def numbers(self, first: int) -> Iterator[list[int]]:
        """Give the chunk numbers of each batch, without end.

        Args:
            first: Number of the first chunk that any process has not yet taken.
        """
        while True:
            stop = first + self.global_batch_size
            yield list(range(first + self.rank, stop, self.world_size))
            first = stop


class ChunkLoader:
    """An epoch of batches `[batch, 4, 2, samples]` each time that it is iterated over.

    It is no `DataLoader`, so that Lightning leaves the numbers to it. The worker processes live on
    from one epoch to the next and make what comes next meanwhile.

    Args:
        chunks: Makes the chunks.
        shard: This process's share.
        start: Number of the first chunk.
        trained: Gives, when an epoch (or the rest of one) begins, how many chunks of the run have
            been trained on; those are not handed out again, and others that had been are. Not
            given: what is handed out is trained on.
        num_workers: Processes that make chunks; 0: this one does.
        pin_memory: Whether batches are put where a GPU copies them from at once.

    Attributes:
        position: Number of the first chunk of the next batch.
    """

    def __init__(
        self,
        chunks: Chunks,
        shard: Shard,
        *,
        start: int = 0,
        trained: Callable[[], int] | None = None,
        num_workers: int = 0,
        pin_memory: bool = False,
    ) -> None:
        if shard.batch_size < 1:
            raise DemixError(f"batch_size={shard.batch_size}: give at least 1")
        if num_workers < 0:
            raise DemixError(f"num_workers={num_workers}: give 0 or more")
        self._chunks = chunks
        self._shard = shard
        self._trained = trained
        self._num_workers = num_workers
        self._pin_memory = pin_memory
        self._running: Iterator[Tensor | DemixError] | None = None
        self.position = start

    def __len__(self) -> int:
        """Batches per epoch: all of them full, so that the last may reach beyond its end."""
        return -(-self._chunks.per_epoch // self._shard.global_batch_size)

    def __iter__(self) -> Iterator[Tensor]:
        """Give an epoch's batches.

        Raises:
            DemixError: A song cannot be read.
        """
        first = self.position if self._trained is None else self._trained()
        if self._running is None or self.position != first:
            self._running = self._batches(first)
            self.position = first
        for _ in range(len(self)):
            batch = next(self._running)
            if isinstance(batch, DemixError):
                raise batch
            self.position += self._shard.global_batch_size
            yield batch

    def state_dict(self) -> dict[str, int]:
        """Give nothing: the data module knows where the run is.

        Lightning warns of an epoch that is gone on with where a loader has no state.
        """
        return {}

    def load_state_dict(self, state_dict: dict[str, int]) -> None:
        """Take nothing."""

    def _batches(self, first: int) -> Iterator[Tensor | DemixError]:
        return iter(
            DataLoader(
                self._chunks,
                batch_sampler=self._shard.numbers(first),
                num_workers=self._num_workers,
                pin_memory=self._pin_memory,
                collate_fn=_collate,
                # Of its own, because it draws a number: a run that is gone on with makes one more
                # loader than the run without a stop.
                generator=torch.Generator(),
                worker_init_fn=_leave_signals_to_the_run,
            )
        )


class TrackLoader:
    """The songs that one process validates on, one at a time, whole and unread.

    Args:
        tracks: All songs.
        shard: This process's share; none is taken by two.
    """

    def __init__(self, tracks: Sequence[Track], shard: Shard) -> None:
        self._tracks = tuple(tracks)[shard.rank :: shard.world_size]

    def __len__(self) -> int:
        """Give the number of this process's songs."""
        return len(self._tracks)

    def __iter__(self) -> Iterator[Track]:
        """Give them."""
        return iter(self._tracks)


def _leave_signals_to_the_run(_worker: int) -> None:
    # A terminal sends Ctrl-C to a whole group of processes, and others do so with SIGTERM. The run
    # finishes its step then, and ends its workers itself.
    os.setpgrp()


def _collate(samples: Samples) -> Tensor | DemixError:
    chunks = []
    for sample in samples:
        if isinstance(sample, DemixError):
            return sample
        chunks.append(sample)
    return torch.stack(chunks)
