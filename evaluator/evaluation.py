"""Songs separated one after the other and scored as they finish: what `demix evaluate` does."""

import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import CancelledError, Future, wait
from pathlib import Path
from typing import Protocol

from rich.console import Console

from evaluator import results
from evaluator.bss_eval import bytes_needed
from evaluator.command_errors import as_demix_errors
from evaluator.data_sets import DataSet, DataSong, SongFiles
from evaluator.errors import EvaluatorError
from evaluator.results import Metrics, Scores
from evaluator.score_pool import ScorePool
from evaluator.song_scores import ScoringJob, SongResult, score_job
from evaluator.sound import STEMS, SoundReader
from my_submission.audio.scratch_space import scratch_folder
from my_submission.cli.batch import Report, print_failure, progress_bars, run_songs
from my_submission.cli.resuming import is_separated
from my_submission.errors import DemixError

WAITING_PER_PROCESS = 2
"""Songs that may wait to be scored or be scored at a time, for each scoring process: so that the
decoded references of a data set do not pile up on the disk."""


class SongSeparator(Protocol):
    """Separates files: `my_submission.Separator`."""

    def separate_to_files(
        self,
        path: Path | str,
        paths: Mapping[str, Path],
        *,
        source_rate: bool,
        progress: Report,
        say: Callable[[str], None],
    ) -> None:
        """Separate a song from file to files."""
        ...


class Evaluation:
    """One run over a data set.

    Args:
        data: the songs.
        run: the folder for stems and scores, ``OUT/SYSTEM``.
        separator: what separates them.
        metrics: which scores are wanted.
        skip_existing: leave alone what an earlier run has separated or scored.
        describe: writes ``run.json``; called before the first song's scores.
        console: for progress and errors.
        say: gets a line for everything that the user should know.

    Attributes:
        scores: of each song that is done, by its name.
        failed: names of those that are not.
    """

    def __init__(
        self,
        data: DataSet,
        run: Path,
        separator: SongSeparator,
        *,
        metrics: Metrics,
        skip_existing: bool,
        describe: Callable[[], None],
        console: Console,
        say: Callable[[str], None],
    ) -> None:
        self.scores: dict[str, Scores] = {}
        self.failed: set[str] = set()
        self._data = data
        self._run = run
        self._separator = separator
        self._metrics: Metrics = metrics
        self._skip_existing = skip_existing
        self._describe = describe
        self._console = console
        self._say = say
        self._lock = threading.Lock()
        self._described = False
        self._futures: list[Future[SongResult]] = []

    def separate_and_score(self, jobs: int) -> None:
        """Separate all songs, `jobs` at a time, and score each in another process meanwhile."""
        total = len(self._data.songs)
        with progress_bars(self._console) as add_bar, ScorePool(score_job) as pool:
            separated, scored = add_bar("songs separated"), add_bar("songs scored")
            for bar in (separated, scored):
                bar(0, total)
            self._pool = pool
            self._free = threading.Semaphore(WAITING_PER_PROCESS * pool.num_processes)
            count = 0

            def one_song(song: DataSong, report: Report) -> None:
                nonlocal count
                try:
                    with as_demix_errors():
                        self._separate(song, report, lambda: scored(self._num_done(), total))
                finally:
                    with self._lock:
                        count += 1
                    separated(count, total)

            failed = run_songs(
                self._data.songs,
                one_song,
                jobs=jobs,
                console=self._console,
                title=lambda song: song.name,
                add_bar=add_bar,
            )
            self.failed |= {song.name for song in failed}
            scored(self._num_done(), total)
            wait(self._futures)

    def _num_done(self) -> int:
        return len(self.scores) + len(self.failed)

    def _separate(self, song: DataSong, report: Report, show_done: Callable[[], None]) -> None:
        stems = {stem: self._run / song.name / f"{stem}.wav" for stem in STEMS}
        earlier = results.read_song(self._run, song.name) if self._skip_existing else None
        if earlier is not None and self._is_scored(song, earlier, stems):
            self.scores[song.name] = earlier
            show_done()
            return
        files = song.open(scratch_folder() if song.streams else None)
        try:
            seconds = None if earlier is None else earlier.get("separation_seconds")
            if not (self._skip_existing and is_separated(stems.values(), song=files.mixture)):
                # Before the stems change, so that no stems have others' scores beside them.
                results.remove_song(self._run, song.name)
                began = time.monotonic()
                self._separator.separate_to_files(
                    files.mixture, stems, source_rate=True, progress=report, say=self._say
                )
                seconds = round(time.monotonic() - began, 3)
            with self._lock:
                if not self._described:
                    self._describe()
                    self._described = True
            results.remove_song(self._run, song.name)
            while not self._free.acquire(timeout=0.2):
                report(1, 1)  # which raises where the run is ending
            self._score(song, files, stems, seconds, show_done)
        except BaseException:
            files.close()
            raise

    def _score(
        self,
        song: DataSong,
        files: SongFiles,
        stems: dict[str, Path],
        separation_seconds: float | None,
        show_done: Callable[[], None],
    ) -> None:
        """Hand a separated song to the scoring processes."""
        job = ScoringJob(
            song.name,
            song.location,
            files.mixture,
            files.references,
            stems,
            separation_seconds,
            self._metrics,
            self._run,
        )
        with SoundReader(stems[STEMS[0]]) as reader:
            memory = bytes_needed(reader.num_frames, reader.num_channels)
        future = self._pool.submit(job, memory if self._metrics == "all" else 0)
        self._futures.append(future)

        def done(future: "Future[SongResult]") -> None:
            files.close()
            self._free.release()
            error = CancelledError() if future.cancelled() else future.exception()
            if error is None:
                result = future.result()
                self.scores[song.name] = result.scores
                if result.note is not None:
                    self._say(result.note)
            elif isinstance(error, Exception) and not isinstance(error, CancelledError):
                self.failed.add(song.name)
                if isinstance(error, EvaluatorError):
                    error = DemixError(f"{song.name}: {error}")
                print_failure(self._console, song.name, error)
            show_done()

        future.add_done_callback(done)

    def _is_scored(self, song: DataSong, scores: Scores, stems: dict[str, Path]) -> bool:
        """Tell whether an earlier run's scores are those of the stems that are there."""
        path = self._run / song.name / results.SCORES_FILE
        if not is_separated(stems.values()):
            return False
        written = path.stat().st_mtime_ns
        if any(stem.stat().st_mtime_ns > written for stem in stems.values()):
            return False
        with SoundReader(stems[STEMS[0]]) as reader:
            same_length = reader.num_frames == round(scores["seconds"] * scores["sample_rate"])
            same_rate = reader.sample_rate == scores["sample_rate"]
        is_complete = scores["metrics"] in ("all", self._metrics)
        return (
            same_length and same_rate and is_complete and scores["reference"] == str(song.location)
        )
