"""All scores of one song, from its files: what a scoring process does."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evaluator.baselines import SongBaselines
from evaluator.bss_eval import METRICS, BssEval, bss_eval
from evaluator.metrics import SeparationSums
from evaluator.results import CEILING, FLOOR, Metrics, write_museval, write_song
from evaluator.scoring import SdrSums
from evaluator.song_sounds import SongSounds, open_song_sounds
from evaluator.sound import STEMS


@dataclass(frozen=True)
class ScoringJob:
    """A separated song.

    Args:
        song: its name.
        location: of its references: a folder or a ``.stem.mp4``.
        mixture: the file that was separated.
        references: file of each stem.
        estimates: likewise.
        provenance: what is known of it before it is scored, for its ``scores.json``: its
            ``origin``, ``separation_seconds``, ``subset``, ``warning`` and ``stems``.
        metrics: which are wanted.
        run: the folder of the run, which the scores are written into; None writes nothing.
    """

    song: str
    location: Path
    mixture: Path
    references: Mapping[str, Path]
    estimates: Mapping[str, Path]
    provenance: Mapping[str, Any]
    metrics: Metrics
    run: Path | None


@dataclass(frozen=True)
class SongResult:
    """What a scoring process gives back.

    Args:
        scores: the contents of the song's ``scores.json``.
        note: what the user should know of them, in one line.
    """

    scores: dict[str, Any]
    note: str | None = None


def score_job(job: ScoringJob) -> SongResult:
    """Score a song and write ``SONG/scores.json`` and ``museval/SONG.json`` into its run's folder.

    Raises:
        EvaluatorError: files are missing or damaged, do not fit each other, or cannot be written.
    """
    files = (job.mixture, job.references, job.estimates)
    with open_song_sounds(*files) as song:
        scores = _streamed_scores(song, with_frames=job.metrics == "all")
        document = {
            "song": job.song,
            "seconds": song.num_samples / song.sample_rate,
            "sample_rate": song.sample_rate,
            **job.provenance,
            "reference": str(job.location),
            "metrics": job.metrics,
            **scores,
        }
    museval = None
    if job.metrics == "all":
        with open_song_sounds(*files) as song:
            museval = bss_eval(job.song, song)
        for stem in STEMS:
            document["scores"][stem].update(museval.medians[stem])
    if job.run is not None:
        _write(job, museval, document)
    note = None if museval is None or museval.obstacle is None else museval.obstacle
    return SongResult(document, None if note is None else f"{job.song}: {note}")


def _write(job: ScoringJob, museval: BssEval | None, document: dict[str, Any]) -> None:
    assert job.run is not None
    if museval is not None and museval.document is not None:
        write_museval(job.run, job.song, museval.document)
    # The last one, so that a song with scores has all that belongs to them.
    write_song(job.run, job.song, document)


def _streamed_scores(song: SongSounds, *, with_frames: bool) -> dict[str, Any]:
    """Compute all that takes no more than a block in memory."""
    sums = SeparationSums(len(STEMS))
    null = SdrSums()
    baselines = SongBaselines(
        song.num_samples, song.sample_rate, song.num_channels, with_frames=with_frames
    )
    for mixture, references, estimates in song.blocks():
        sums.add(references, estimates)
        null.add(mixture, estimates.sum(axis=0))
        baselines.add(mixture, references)
    floor, ceiling = baselines.finish()
    return {
        "scores": {
            stem: {"global_sdr": sdr, "si_sdr": si_sdr, **dict.fromkeys(METRICS)}
            for stem, sdr, si_sdr in zip(STEMS, sums.sdr(), sums.si_sdr(), strict=True)
        },
        "null_depth_db": null.sdr(),
        "floor": {FLOOR: floor},
        "ceiling": {CEILING: ceiling},
    }
