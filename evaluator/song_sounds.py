"""A song's mixture, references and estimates, read together."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from evaluator.errors import EvaluatorError
from evaluator.metrics import Sounds
from evaluator.sound import STEMS, Block, SoundReader, read_together, require_same_form


@dataclass(frozen=True)
class SongSounds:
    """A song, open to be read once.

    Args:
        num_samples: length in frames.
        sample_rate: in Hz.
        num_channels: of the estimates, and of all that is read.
        readers: the mixture, then the references, then the estimates, in the order of `STEMS`.
    """

    num_samples: int
    sample_rate: int
    num_channels: int
    readers: tuple[SoundReader, ...]

    def blocks(self) -> Iterator[tuple[Block, Sounds, Sounds]]:
        """Give consecutive blocks: mixture ``[n, channels]``, references and estimates.

        Raises:
            EvaluatorError: a file is damaged, not finite, or ends before its header says.
        """
        for blocks in read_together(*self.readers):
            shape = (len(blocks[0]), self.num_channels)
            mixture, *stems = (np.broadcast_to(block, shape) for block in blocks)
            yield mixture, np.stack(stems[: len(STEMS)]), np.stack(stems[len(STEMS) :])


@contextmanager
def open_song_sounds(
    mixture: Path, references: Mapping[str, Path], estimates: Mapping[str, Path]
) -> Iterator[SongSounds]:
    """Open the nine files of a song.

    Args:
        mixture: the song.
        references: file of each stem.
        estimates: likewise.

    Raises:
        EvaluatorError: a file is missing, damaged or empty, or one does not fit the others in
            length, sample rate or channels. Mono references or a mono mixture go with stereo
            estimates: they are read with the same sound in both channels.
    """
    with ExitStack() as stack:

        def opened(path: Path) -> SoundReader:
            return stack.enter_context(SoundReader(path))

        mixed = opened(mixture)
        true = [opened(references[stem]) for stem in STEMS]
        estimated = [opened(estimates[stem]) for stem in STEMS]
        if not true[0].num_frames:
            raise EvaluatorError(f"{true[0].path} holds no samples")
        for reader in (*true[1:], *estimated):
            is_mono = true[0].num_channels == 1 and reader in estimated
            require_same_form(true[0], reader, check_channels=not is_mono)
        for reader in estimated[1:]:
            require_same_form(estimated[0], reader)
        num_channels = estimated[0].num_channels
        require_same_form(true[0], mixed, check_channels=False)
        if any(r.num_channels not in (1, num_channels) for r in (mixed, true[0])) or (
            true[0].num_channels == 1 and num_channels > 2
        ):
            raise EvaluatorError(
                f"{estimated[0].path} has {num_channels} channels, but {mixed.path} has"
                f" {mixed.num_channels} and {true[0].path} {true[0].num_channels}"
            )
        readers = (mixed, *true, *estimated)
        yield SongSounds(true[0].num_frames, true[0].sample_rate, num_channels, readers)
