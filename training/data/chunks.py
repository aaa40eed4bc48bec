"""Training chunks: every source from a random song and place, so that each mixture is new.

A chunk is a function of the seed and of its number in the whole run, and of nothing else. What is
drawn is apart from what is read.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from my_submission.errors import DemixError
from my_submission.stems import STEMS, Audio
from training.augmentation import Chain, apply, is_dropped
from training.augmentation.base import require_share
from training.data.tracks import Track

CHUNK_SAMPLES = 255 * 1024
"""Of the published training: 256 frames, 1024 samples apart; 5.9 s."""


@dataclass(frozen=True)
class Place:
    """Where a stem of a chunk comes from.

    Attributes:
        track: The song, or one of its versions.
        start: First sample; negative where the song is shorter than the chunk and begins in it.
    """

    track: Track
    start: int


class Chunks(Dataset[Tensor | DemixError]):
    """All chunks of a training run, made when they are asked for by number.

    Args:
        tracks: The songs. Each is as likely as any other; so is each version of a song.
        seed: Of all draws.
        num_samples: Length of a chunk.
        coherent_share: Probability that the stems are one moment of one song. As published it is
            0: each stem is of a song, version and place of its own.
        chain: Changes made on the fly; none as published.

    Raises:
        DemixError: A value makes no sense.
    """

    def __init__(
        self,
        tracks: Sequence[Track],
        *,
        seed: int,
        num_samples: int = CHUNK_SAMPLES,
        coherent_share: float = 0.0,
        chain: Chain | None = None,
    ) -> None:
        if num_samples < 1:
            raise DemixError(f"chunk_samples={num_samples}: give at least 1")
        if seed < 0:
            raise DemixError(f"seed={seed}: give 0 or more")
        require_share("coherent_share", coherent_share)
        self.tracks = tuple(tracks)
        self.seed = seed
        self.num_samples = num_samples
        self.coherent_share = coherent_share
        self.chain = chain or Chain({})

    @property
    def per_epoch(self) -> int:
        """Chunks that make up the songs' length once; changed versions do not add to it."""
        return max(1, sum(track.num_samples for track in self.tracks) // self.num_samples)

    def places(self, number: int) -> tuple[list[Place], bool]:
        """Draw where the stems of a chunk come from.

        Args:
            number: The chunk's number in the whole run.

        Returns:
            A place per stem in the order of `STEMS`, and whether they are one moment of a song.
        """
        rng = np.random.default_rng([self.seed, number])
        coherent = bool(rng.random() < self.coherent_share)
        places = [self._place(rng) for _ in STEMS]
        return (places[:1] * len(STEMS) if coherent else places), coherent

    def stems(self, number: int) -> Audio:
        """Make a chunk: float32 `[4, 2, num_samples]` in the order of `STEMS`.

        The mixture is the sum over the first axis.

        Raises:
            DemixError: A song cannot be read.
        """
        places, coherent = self.places(number)
        changes = self.chain.draw([self.seed, number], coherent=coherent)
        stems = np.zeros((len(STEMS), 2, self.num_samples), np.float32)
        for index, (stem, place) in enumerate(zip(STEMS, places, strict=True)):
            if not is_dropped(changes[index]):
                sound = place.track.read(stem, place.start, self.num_samples)
                stems[index] = apply(sound, changes[index])
        return stems

    def __getitem__(self, number: int) -> Tensor | DemixError:
        """Make a chunk; an error is handed over, since a worker that raises it hides its line."""
        try:
            return torch.from_numpy(self.stems(number))
        except DemixError as error:
            return error

    def _place(self, rng: np.random.Generator) -> Place:
        song = self.tracks[int(rng.integers(len(self.tracks)))]
        version = int(rng.integers(1 + len(song.versions)))
        track = song if version == 0 else song.versions[version - 1]
        first, last = sorted((0, track.num_samples - self.num_samples))
        return Place(track, int(rng.integers(first, last + 1)))
