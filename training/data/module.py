"""The Lightning data module: songs in folders to batches of chunks, resumable at any step."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lightning.pytorch import LightningDataModule
from lightning.pytorch.utilities import rank_zero_only

from my_submission.errors import DemixError
from training.augmentation import make_chain
from training.data.chunks import CHUNK_SAMPLES, Chunks
from training.data.decoded import decoded
from training.data.loader import ChunkLoader, Shard, TrackLoader
from training.data.split import DataOptions, Split, split_songs
from training.data.tracks import Track

Folders = str | Path | Sequence[str | Path]


class StemsDataModule(LightningDataModule):
    """Songs to train and to validate on.

    Training batches are float32 `[batch_size, 4, 2, chunk_samples]`, in the order of `STEMS`; the
    mixture is their sum. Validation gives one `Track` at a time. All paths are of folders, which
    are read where they are.

    Args:
        musdb: Root of MUSDB18-HQ.
        train_on_test: Whether its test songs are trained on too, as for Leaderboard B.
        folders: Further folders of songs to train on (one path or several).
        validation_folders: Folders of songs to validate on, such as MDXDB21.
        validation_songs: Training songs that are validated on instead: names, or how many of the
            first. Not given: MUSDB18's 14, or none where there are `validation_folders`.
        augmented: Folders in which `python -m training.augment` has put changed versions.
        max_semitones: Largest pitch shift taken of those.
        max_tempo_percent: Largest change of tempo taken of those.
        decoded_folder: Where FLAC songs are kept decoded, if anywhere. Reading a chunk takes about
            a fifth of the time then.
        chunk_samples: Length of a chunk.
        batch_size: Chunks per batch of each process.
        num_workers: Processes that make chunks, for each training process; 0: that one does.
        pin_memory: Whether batches are put where a GPU copies them from at once.
        seed: Of all chunks; a chunk depends on it and its number in the run alone.
        coherent_share: Probability that a chunk's stems are one moment of one song.
        augmentations: Options of each change made on the fly, by name (`training.augmentation`).

    Raises:
        DemixError: A value makes no sense; in `setup`, what `split_songs` raises.
    """

    def __init__(
        self,
        *,
        musdb: str | Path | None = None,
        train_on_test: bool = False,
        folders: Folders = (),
        validation_folders: Folders = (),
        validation_songs: int | Sequence[str] | None = None,
        augmented: Folders = (),
        max_semitones: int = 2,
        max_tempo_percent: int = 20,
        decoded_folder: str | Path | None = None,
        chunk_samples: int = CHUNK_SAMPLES,
        batch_size: int = 8,
        num_workers: int = 0,
        pin_memory: bool = False,
        seed: int = 1,
        coherent_share: float = 0.0,
        augmentations: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> None:
        super().__init__()
        # With more processes than songs to validate on, some have none.
        self.allow_zero_length_dataloader_with_multiple_devices = True
        self.options = DataOptions(
            musdb=None if musdb is None else Path(musdb),
            train_on_test=train_on_test,
            folders=_paths(folders),
            validation_folders=_paths(validation_folders),
            validation_songs=_names(validation_songs),
            augmented=_paths(augmented),
            max_semitones=max_semitones,
            max_tempo_percent=max_tempo_percent,
        )
        self.decoded_folder = None if decoded_folder is None else Path(decoded_folder)
        self.chunk_samples = chunk_samples
        self.batch_size = batch_size
        self.num_workers = num_workers
        self.pin_memory = pin_memory
        self.seed = seed
        self.coherent_share = coherent_share
        self.chain = make_chain(augmentations)
        self._split: Split | None = None
        self._resumed_chunks = 0
        self._resumed_batches = 0
        self._loader: ChunkLoader | None = None
        # What is wrong is said at once, and not when all songs have been looked at.
        self._loader_of(())

    @property
    def train_tracks(self) -> Sequence[Track]:
        """Songs to train on; known after `setup`."""
        return self._songs.train

    @property
    def validation_tracks(self) -> Sequence[Track]:
        """Songs to validate on; known after `setup`."""
        return self._songs.validation

    def prepare_data(self) -> None:
        """Decode songs that are to be kept decoded, in one process of each machine."""
        if self.decoded_folder is not None:
            self.setup()

    def setup(self, stage: str | None = None) -> None:  # noqa: ARG002
        """Find the songs; once, whatever they are for.

        Raises:
            DemixError: As `split_songs` and `decoded`.
        """
        if self._split is not None:
            return
        say = rank_zero_only(print)
        split = split_songs(self.options, say)
        if self.decoded_folder is not None:
            folder = self.decoded_folder
            train, validation = (
                tuple(decoded(track, folder, say) for track in tracks)
                for tracks in (split.train, split.validation)
            )
            split = Split(train, validation)
        self._split = split

    def train_dataloader(self) -> ChunkLoader:
        """Give batches of chunks, from where the run is."""
        self._loader = self._loader_of(self.train_tracks)
        return self._loader

    def val_dataloader(self) -> TrackLoader:
        """Give this process's songs to validate on, one `Track` at a time."""
        return TrackLoader(self.validation_tracks, self._shard)

    def state_dict(self) -> dict[str, Any]:
        """Give where the run is: how many chunks all processes have trained on."""
        return {"chunks": self._trained(), "batches": self._batches, "seed": self.seed}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on where a run was; batch size and number of processes may be others now.

        Raises:
            DemixError: The run had another seed, so that its chunks cannot be gone on with.
        """
        if state_dict["seed"] != self.seed:
            raise DemixError(
                f"seed={self.seed}: the run that is taken up has seed {state_dict['seed']}"
            )
        self._resumed_chunks = state_dict["chunks"]
        self._resumed_batches = state_dict["batches"]
        self._loader = None

    @property
    def _songs(self) -> Split:
        if self._split is None:
            raise RuntimeError("the songs are known after setup()")
        return self._split

    @property
    def _shard(self) -> Shard:
        if self.trainer is None:
            return Shard(self.batch_size)
        return Shard(self.batch_size, self.trainer.global_rank, self.trainer.world_size)

    @property
    def _batches(self) -> int:
        """Batches that this process has trained on, in all epochs.

        The trainer's count and not that of batches handed out: one on which training was
        interrupted is trained on again.
        """
        if self.trainer is None:
            return self._resumed_batches
        progress: Any = self.trainer.fit_loop.epoch_loop.batch_progress.total
        return int(progress.processed)

    def _trained(self) -> int:
        """Give the number of chunks that all processes have trained on."""
        if self.trainer is None:
            return self._resumed_chunks if self._loader is None else self._loader.position
        new = self._batches - self._resumed_batches
        return self._resumed_chunks + new * self._shard.global_batch_size

    def _loader_of(self, tracks: Sequence[Track]) -> ChunkLoader:
        chunks = Chunks(
            tracks,
            seed=self.seed,
            num_samples=self.chunk_samples,
            coherent_share=self.coherent_share,
            chain=self.chain,
        )
        return ChunkLoader(
            chunks,
            self._shard,
            start=self._trained(),
            trained=None if self.trainer is None else self._trained,
            num_workers=self.num_workers,
            pin_memory=self.pin_memory,
        )


def _paths(folders: Folders) -> tuple[Path, ...]:
    if isinstance(folders, str | Path):
        folders = [folders]
    return tuple(Path(folder) for folder in folders)


def _names(songs: int | Sequence[str] | None) -> int | Sequence[str] | None:
    return [songs] if isinstance(songs, str) else songs
