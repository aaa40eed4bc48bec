"""Songs separated one after the other and scored as they finish: what `demix evaluate` does."""

import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import CancelledError, Future, wait
from pathlib import Path
from typing import Any, Protocol

from rich.console import Console

from evaluator import results
from evaluator.bss_eval import bytes_needed
from evaluator.command_errors import as_demix_errors
from evaluator.contamination import contamination, union
from evaluator.data_sets import DataSet, DataSong, SongFiles
from evaluator.errors import EvaluatorError
from evaluator.origins import Origin
from evaluator.results import Metrics, Scores
from evaluator.score_pool import ScorePool
from evaluator.song_scores import ScoringJob, SongResult, score_job
from evaluator.sound import STEMS, SoundReader
from evaluator.stem_files import DESCRIBED, describe_stems, is_about
from my_submission.audio.scratch_space import scratch_folder
from my_submission.cli.batch import Report, print_failure, progress_bars, run_songs
from my_submission.cli.resuming import is_separated

WAITING_PER_PROCESS = 2
"""Songs that may wait to be scored or be scored at a time, for each scoring process: so that the
decoded references of a data set do not pile up on the disk."""

BYTES_OF_STREAM = 150_000_000
"""Memory of a process that scores without museval, as measured: its libraries', mostly."""


class SeparateToFiles(Protocol):
    """Separates a song from file to files: `Separator.separate_to_files`, or a timed one's."""

    def __call__(
        self,
        path: Path | str,
        paths: Mapping[str, Path],
        *,
        source_rate: bool,
        progress: Report,
        say: Callable[[str], None],
    ) -> object:
        """Separate a song."""
        ...


class Evaluation:
    """One run over a data set.

    Args:
        system: name of what separates the songs.
        data: the songs.
        run: the folder for stems and scores, ``OUT/SYSTEM``.
        load: loads what separates them, and gives the origin of its stems (`origins`); called once,
            and only if there is something to separate.
        metrics: which scores are wanted.
        is_timed: whether songs are separated within a time limit: then nothing is scored meanwhile,
            for it would take that time away.
        skip_existing: leave alone what an earlier run has separated or scored.
        console: for progress and errors.
        say: gets a line for everything that the user should know.

    Attributes:
        scores: of each song that is done, by its name.
        failed: names of those that are not.
    """

    def __init__(
        self,
        system: str,
        data: DataSet,
        run: Path,
        load: Callable[[], tuple[SeparateToFiles, Origin]],
        *,
        metrics: Metrics,
        is_timed: bool = False,
        skip_existing: bool,
        console: Console,
        say: Callable[[str], None],
    ) -> None:
        self.scores: dict[str, Scores] = {}
        self.failed: set[str] = set()
        self._system = system
        self._data = data
        self._run = run
        self._load = load
        self._separator: tuple[SeparateToFiles, Origin] | None = None
        self._metrics: Metrics = metrics
        self._is_timed = is_timed
        self._skip_existing = skip_existing
        self._console = console
        self._say = say
        self._lock = threading.Lock()
        self._is_changing = False
        self._is_described = False
        self._futures: list[Future[SongResult]] = []

    def separate_and_score(self, jobs: int) -> None:
        """Separate all songs, `jobs` at a time, and score each in another process meanwhile.

        Raises:
            DemixError: what separates them cannot be loaded.
        """
        total = len(self._data.songs)
        # First, because songs that take no time would make the rest seem to take none either.
        songs = [song for song in self._data.songs if not self._keeps_scores(song)]
        if not all(map(self._seems_separated, songs)):
            self._loaded()  # here, where an error is no song's
        with progress_bars(self._console) as add_bar, ScorePool(score_job) as pool:
            separated, scored = add_bar("songs separated"), add_bar("songs scored")
            count = total - len(songs)
            for bar in (separated, scored):
                bar(count, total)
            self._pool = pool
            self._free = threading.Semaphore(WAITING_PER_PROCESS * pool.num_processes)

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
                songs,
                one_song,
                jobs=jobs,
                console=self._console,
                title=lambda song: song.name,
                add_bar=add_bar,
            )
            self.failed |= {song.name for song in failed}
            scored(self._num_done(), total)
            wait(self._futures)
        # Whatever became of it, what has no scores has failed.
        self.failed |= {song.name for song in self._data.songs} - self.scores.keys()

    def _keeps_scores(self, song: DataSong) -> bool:
        """Take the scores of an earlier run, where they are still right."""
        if not self._skip_existing:
            return False
        earlier = results.read_song(self._run, song.name)
        if earlier is None or not self._is_scored(song, earlier, self._stems(song)):
            return False
        self.scores[song.name] = earlier
        return True

    def _num_done(self) -> int:
        return len(self.scores.keys() | self.failed)

    def _stems(self, song: DataSong) -> dict[str, Path]:
        return {stem: self._run / song.name / f"{stem}.wav" for stem in STEMS}

    def _seems_separated(self, song: DataSong) -> bool:
        """Tell without reading a song whether its stems can stay; in the end its length decides."""
        return self._skip_existing and is_separated(self._stems(song).values())

    def _loaded(self) -> tuple[SeparateToFiles, Origin]:
        with self._lock:
            if self._separator is None:
                self._separator = self._load()
            return self._separator

    def _separate(self, song: DataSong, report: Report, show_done: Callable[[], None]) -> None:
        stems = self._stems(song)
        files = song.open(scratch_folder() if song.streams else None)
        try:
            known = results.read_provenance(self._run, song.name, stems)
            if not (self._skip_existing and is_separated(stems.values(), song=files.mixture)):
                separate, origin = self._loaded()
                self._begin_changes()
                # Before the stems change, so that no stems have others' scores beside them.
                results.remove_song(self._run, song.name)
                self._wait_for_a_free_machine(report)
                began = time.monotonic()
                separate(files.mixture, stems, source_rate=True, progress=report, say=self._say)
                known = {
                    "origin": origin,
                    "separation_seconds": round(time.monotonic() - began, 3),
                }
                self._describe(origin)
            self._begin_changes()
            if not known:
                results.remove_older_records(self._run, song.name, stems)
            provenance = {
                "separation_seconds": known.get("separation_seconds"),
                "subset": self._data.subset,
                "warning": self._warning(song),
                "origin": known.get("origin"),
                DESCRIBED: describe_stems(stems),
            }
            results.begin_song(self._run, song.name, provenance)
            self._score(song, files, stems, provenance, report, show_done)
        except BaseException:
            files.close()
            raise

    def _wait_for_a_free_machine(self, report: Report) -> None:
        while self._is_timed and wait(self._futures, timeout=0.2).not_done:
            report(0, 1)  # which raises where the run is ending

    def _begin_changes(self) -> None:
        with self._lock:
            if not self._is_changing:
                results.remove_tables(self._run)
                self._is_changing = True

    def _describe(self, origin: Origin) -> None:
        """Write ``run.json``, once there are stems of this call."""
        with self._lock:
            if not self._is_described:
                warnings = union([self._warning(song) for song in self._data.songs])
                warning = " ".join(warnings) or None
                results.write_run(self._run, {**origin, "warning": warning})
                self._is_described = True

    def _warning(self, song: DataSong) -> str | None:
        return contamination(self._system, song.name, self._data.subset, self._data.split)

    def _score(
        self,
        song: DataSong,
        files: SongFiles,
        stems: dict[str, Path],
        provenance: Mapping[str, Any],
        report: Report,
        show_done: Callable[[], None],
    ) -> None:
        """Hand a separated song to the scoring processes, when not too many wait already."""
        job = ScoringJob(
            song.name,
            song.location,
            files.mixture,
            files.references,
            stems,
            provenance,
            self._metrics,
            self._run,
        )
        with SoundReader(stems[STEMS[0]]) as reader:
            memory = bytes_needed(reader.num_frames, reader.num_channels)
        while not self._free.acquire(timeout=0.2):
            report(1, 1)  # which raises where the run is ending
        future = self._pool.submit(job, memory if self._metrics == "all" else BYTES_OF_STREAM)
        self._futures.append(future)

        def done(future: "Future[SongResult]") -> None:
            # What a callback raises is told to nobody, so nothing leaves it.
            try:
                with files:
                    self._take(song, future)
            except Exception as error:
                self.failed.add(song.name)
                print_failure(self._console, song.name, error)
            finally:
                self._free.release()
                show_done()

        future.add_done_callback(done)

    def _take(self, song: DataSong, future: "Future[SongResult]") -> None:
        """Take over what a scoring process gave.

        Raises:
            DemixError: the song cannot be scored.
            Exception: a fault of ours.
        """
        if future.cancelled() or isinstance(future.exception(), CancelledError):
            return  # the run is ending
        with as_demix_errors():
            try:
                result = future.result()
            except EvaluatorError as error:
                raise EvaluatorError(f"{song.name}: {error}") from error
        self.scores[song.name] = result.scores
        if result.note is not None:
            self._say(result.note)

    def _is_scored(self, song: DataSong, scores: Scores, stems: dict[str, Path]) -> bool:
        """Tell whether an earlier run's scores are those of the stems that are there."""
        path = self._run / song.name / results.SCORES_FILE
        if not is_separated(stems.values()) or not is_about(scores, path, stems):
            return False
        with SoundReader(stems[STEMS[0]]) as reader:
            same_length = reader.num_frames == round(scores["seconds"] * scores["sample_rate"])
            same_rate = reader.sample_rate == scores["sample_rate"]
        is_complete = scores["metrics"] in ("all", self._metrics) and (
            self._metrics == "global" or results.has_museval(self._run, scores)
        )
        same_data = (scores["reference"], scores["subset"]) == (
            str(song.location),
            self._data.subset,
        )
        return same_length and same_rate and is_complete and same_data
