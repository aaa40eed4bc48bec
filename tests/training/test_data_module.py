"""The data module: the same chunks for any number of workers and processes, and after a stop."""

import warnings
from itertools import islice
from multiprocessing import active_children
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import ModelCheckpoint
from torch import Tensor, nn

from my_submission.errors import DemixError
from tests.training_songs import write_training_song
from training.data.chunks import Chunks
from training.data.loader import ChunkLoader, Shard, TrackLoader
from training.data.module import StemsDataModule
from training.data.tracks import Track

LENGTH = 200


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Give a folder of four songs of 1000 samples."""
    for seed, name in enumerate("abcd"):
        write_training_song(tmp_path / "songs" / name, seed, 1000)
    return tmp_path / "songs"


@pytest.fixture
def maker(folder: Path) -> Chunks:
    """Give the chunks of all songs: 20 per epoch."""
    module = StemsDataModule(folders=folder, validation_songs=0)
    module.setup()
    return Chunks(module.train_tracks, seed=1, num_samples=LENGTH)


def data_module(folder: Path, **options: Any) -> StemsDataModule:
    """Give a data module over three songs: an epoch of 15 chunks."""
    plain: dict[str, Any] = {"validation_songs": 1, "chunk_samples": LENGTH, "batch_size": 4}
    return StemsDataModule(folders=folder, **{**plain, **options})


class Recorder(LightningModule):
    """Keeps what it is given."""

    def __init__(self, stop_at: int | None = None) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))
        self.seen: list[Tensor] = []
        self.validated: list[Track] = []
        self.stop_at = stop_at

    def training_step(self, batch: Tensor, _index: int) -> Tensor:
        if len(self.seen) == self.stop_at:
            raise KeyboardInterrupt
        self.seen.append(batch.clone())
        return (self.weight * batch).sum()

    def validation_step(self, batch: Track, _index: int) -> None:
        self.validated.append(batch)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), 1e-3)


def trainer(folder: Path, **options: Any) -> Trainer:
    quiet: dict[str, Any] = {
        "accelerator": "cpu",
        "logger": False,
        "enable_checkpointing": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
        "num_sanity_val_steps": 0,
    }
    return Trainer(default_root_dir=folder, **{**quiet, **options})


def test_ranks_share_what_one_process_takes() -> None:
    one = islice(Shard(4).numbers(40), 3)
    two = [islice(Shard(2, rank, 2).numbers(40), 3) for rank in range(2)]
    for whole, *parts in zip(one, *two, strict=True):
        assert parts == [whole[0::2], whole[1::2]]
    assert next(Shard(2, 1, 3).numbers(0)) == [1, 4]


def test_two_processes_see_the_chunks_of_one(maker: Chunks) -> None:
    whole = ChunkLoader(maker, Shard(4))
    halves = [ChunkLoader(maker, Shard(2, rank, 2)) for rank in range(2)]
    assert [len(whole), *map(len, halves)] == [5, 5, 5]
    for _ in range(2):  # epochs
        for batch, first, second in zip(whole, *halves, strict=True):
            assert torch.equal(batch[0::2], first) and torch.equal(batch[1::2], second)


def test_workers_change_nothing(maker: Chunks) -> None:
    alone, helped = ChunkLoader(maker, Shard(4)), ChunkLoader(maker, Shard(4), num_workers=2)
    expected = [batch for _ in range(2) for batch in alone]
    assert len(expected) == 10
    found = [batch for _ in range(2) for batch in helped]
    assert all(torch.equal(a, b) for a, b in zip(expected, found, strict=True))
    assert torch.equal(expected[7][1], torch.from_numpy(maker.stems(29)))


def test_workers_live_on_from_one_epoch_to_the_next(maker: Chunks) -> None:
    loader = ChunkLoader(maker, Shard(10), num_workers=1)
    before = {child.pid for child in active_children()}
    assert len(list(loader)) == 2
    workers = {child.pid for child in active_children()} - before
    assert len(workers) == 1
    assert len(list(loader)) == 2
    assert {child.pid for child in active_children()} - before == workers


def test_epochs_are_rounded_up_to_full_batches(maker: Chunks) -> None:
    assert maker.per_epoch == 20
    assert [len(ChunkLoader(maker, Shard(size))) for size in (1, 3, 20, 50)] == [20, 7, 1, 1]
    assert {len(batch) for batch in ChunkLoader(maker, Shard(3))} == {3}


def test_batches_go_on_from_any_chunk(maker: Chunks) -> None:
    loader = ChunkLoader(maker, Shard(4))
    expected = [batch for _ in range(2) for batch in loader]
    found = list(ChunkLoader(maker, Shard(4), start=8))
    assert all(torch.equal(a, b) for a, b in zip(expected[2:7], found, strict=True))


@pytest.mark.parametrize("num_workers", [0, 1])
def test_a_song_that_cannot_be_read_is_one_line(maker: Chunks, num_workers: int) -> None:
    for track in maker.tracks:
        track.files["drums"].write_bytes(b"no longer sound, whatever it is called")
    with pytest.raises(DemixError) as raised:
        next(iter(ChunkLoader(maker, Shard(2), num_workers=num_workers)))
    assert "drums.flac" in str(raised.value) and "Traceback" not in str(raised.value)


def test_each_process_validates_on_songs_of_its_own(maker: Chunks, folder: Path) -> None:
    shares = [list(TrackLoader(maker.tracks, Shard(8, rank, 3))) for rank in range(3)]
    assert [len(share) for share in shares] == [2, 1, 1]
    # Lightning refuses a process without any, unless it is told not to.
    assert data_module(folder).allow_zero_length_dataloader_with_multiple_devices
    assert {id(track) for share in shares for track in share} == set(map(id, maker.tracks))


def test_without_a_trainer_epochs_follow_each_other(folder: Path) -> None:
    module = data_module(folder)
    module.setup()
    loader = module.train_dataloader()
    first, second = list(loader), list(loader)
    assert len(first) == 4 and not torch.equal(first[0], second[0])
    resumed = data_module(folder)
    state = module.state_dict()
    assert state["chunks"] == 2 * 4 * 4
    module.train_dataloader()  # a new loader goes on, too
    resumed.load_state_dict(state)
    resumed.setup()
    assert torch.equal(
        next(iter(module.train_dataloader())), next(iter(resumed.train_dataloader()))
    )


def test_lightning_trains_and_validates(folder: Path, tmp_path: Path) -> None:
    module = data_module(folder)
    recorder = Recorder()
    trainer(tmp_path, max_epochs=2).fit(recorder, module)
    assert [len(batch) for batch in recorder.seen] == [4] * 8
    maker = Chunks(module.train_tracks, seed=1, num_samples=LENGTH)
    expected = [torch.from_numpy(maker.stems(number)) for number in range(32)]
    assert torch.equal(torch.cat(recorder.seen), torch.stack(expected))
    assert [track.name for track in recorder.validated] == ["a", "a"]
    assert module.train_tracks and "a" not in [track.name for track in module.train_tracks]


@pytest.mark.parametrize(("stop_at", "num_workers"), [(2, 0), (4, 0), (6, 1)])
def test_a_run_goes_on_with_the_chunks_it_would_have_had(
    stop_at: int, num_workers: int, folder: Path, tmp_path: Path
) -> None:
    whole = Recorder()
    trainer(tmp_path, max_epochs=3).fit(whole, data_module(folder))
    assert len(whole.seen) == 12

    saved = tmp_path / "saved"
    save = ModelCheckpoint(saved, "stopped", every_n_train_steps=1, enable_version_counter=False)
    stopped = Recorder(stop_at)
    with pytest.raises((KeyboardInterrupt, SystemExit)):
        trainer(tmp_path, max_epochs=3, callbacks=[save], enable_checkpointing=True).fit(
            stopped, data_module(folder, num_workers=num_workers)
        )
    rest = Recorder()
    with warnings.catch_warnings():
        # Lightning warns where a loader cannot go on in the middle of an epoch.
        warnings.filterwarnings("error", "You're resuming from a checkpoint")
        trainer(tmp_path, max_epochs=3).fit(
            rest, data_module(folder, num_workers=num_workers), ckpt_path=saved / "stopped.ckpt"
        )
    assert len(stopped.seen) == stop_at
    assert torch.equal(torch.cat([*stopped.seen, *rest.seen]), torch.cat(whole.seen))
    assert torch.equal(rest.weight, whole.weight)


def test_a_batch_that_was_interrupted_is_trained_on_again(folder: Path, tmp_path: Path) -> None:
    whole = Recorder()
    trainer(tmp_path, max_epochs=2).fit(whole, data_module(folder))
    stopped = Recorder(3)
    runner = trainer(tmp_path, max_epochs=2)
    with pytest.raises((KeyboardInterrupt, SystemExit)):
        runner.fit(stopped, data_module(folder))
    runner.save_checkpoint(tmp_path / "late.ckpt")
    rest = Recorder()
    trainer(tmp_path, max_epochs=2).fit(rest, data_module(folder), ckpt_path=tmp_path / "late.ckpt")
    assert torch.equal(torch.cat([*stopped.seen, *rest.seen]), torch.cat(whole.seen))


def test_a_run_of_another_seed_is_not_taken_up(folder: Path) -> None:
    module = data_module(folder)
    with pytest.raises(DemixError, match="seed=1: the run that is taken up has seed 2"):
        module.load_state_dict({"chunks": 0, "batches": 0, "seed": 2})


def test_decoded_songs_give_the_same_chunks(folder: Path, tmp_path: Path) -> None:
    plain, fast = data_module(folder), data_module(folder, decoded_folder=tmp_path / "decoded")
    plain.prepare_data()
    fast.prepare_data()
    for module in (plain, fast):
        module.setup("fit")
    assert {path.suffix for track in fast.train_tracks for path in track.files.values()} == {".wav"}
    assert not any(path.suffix == ".wav" for path in folder.rglob("*"))
    for first, second in zip(plain.train_dataloader(), fast.train_dataloader(), strict=True):
        assert torch.equal(first, second)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"batch_size": 0}, "batch_size=0"),
        ({"num_workers": -1}, "num_workers=-1"),
        ({"chunk_samples": 0}, "chunk_samples=0"),
        ({"augmentations": {"chorus": {}}}, "no chorus"),
    ],
)
def test_options_that_make_no_sense(options: dict[str, Any], message: str) -> None:
    with pytest.raises(DemixError, match=message):
        StemsDataModule(folders="nowhere", **options)
