"""What a song needs at its end: time to put the stems together and to write them."""

import math
from collections.abc import Callable
from dataclasses import dataclass

from my_submission.audio.scratch import BLOCK_FRAMES
from my_submission.budget.pace import WINDOW, Pace

SAFETY = 1.5
"""Times what writing is expected to take, that is kept for it; see `safety`."""

SAFETY_PER_PACE = 1 / 10
"""The more of it, the slower the machine: what runs in shorter slices finds less in the caches."""

SLOWEST = 20.0
"""Times slower than it was measured that a machine is taken to be at most."""

LOST = 1.3
"""Times the seconds left that writing still has to take for estimates to be given up."""


def safety(pace: float) -> float:
    """Give how many times what the end is expected to take is kept for it, before it begins.

    While it is written the pace of the blocks before is known, and `SAFETY` will do.
    """
    return SAFETY + SAFETY_PER_PACE * min(pace, SLOWEST)


@dataclass(frozen=True)
class Writing:
    """Seconds that writing a song's files takes at the pace that was measured.

    Attributes:
        whole: Putting estimates together and writing them.
        closing: The part of it that is left once all blocks have been taken: encoding, where a
            common gain is known only then, and copying.
        ending: What is left to do once the files are to be silent from there on: closing them,
            and bringing them to their places.
        silence: Encoding it, if it is all of the song.
    """

    whole: float
    closing: float = 0.0
    ending: float = 0.0
    silence: float = 0.0


@dataclass(frozen=True)
class Finishing:
    """What the end of a song takes at the pace that was measured.

    Attributes:
        stems: Writing a file for each stem. Once more of its closing is kept, because then nothing
            can be done with less any more.
        copies: Writing the file of one stem, and copying it for the others.
        splitting: Splitting the mixture by frequency, seconds per sample; where some of the stems
            are there it takes as much less.
        most_splitting: Seconds that are kept for that at most, at any pace: on a machine so slow,
            estimates gain more.
    """

    stems: Writing
    copies: Writing
    splitting: float = 0.0
    most_splitting: float = math.inf

    def tight_from(self, deadline: float) -> float:
        """Give from when on a machine that had become slow would not be done by a deadline."""
        return deadline - SLOWEST * safety(SLOWEST) * self.stems.whole

    def latest(self, deadline: float, num_missing: float, pace: Pace) -> float:
        """Give when it has to begin, where so many samples of the mean stem have no estimate."""
        kept = safety(pace.own)
        writing = kept * self.stems.whole + self.stems.closing
        in_full = pace.latest(deadline, writing + kept * self.splitting * num_missing)
        return max(in_full, pace.latest(deadline - self.most_splitting, writing))


class Hurry:
    """Tells, while files are put together and written, what there is still time for.

    Args:
        finishing: What the song's end takes.
        is_copied: Whether one stem is written and copied; else each of them is written.
        num_samples: The song's length.
        num_missing: Samples without an estimate, of the mean stem.
        deadline: When the files must be there, on `clock`.
        pace: How many times longer everything takes than when it was measured, as far as is known.
        clock: Gives seconds.
    """

    def __init__(
        self,
        finishing: Finishing,
        num_samples: int,
        num_missing: float,
        *,
        is_copied: bool,
        deadline: float,
        pace: float,
        clock: Callable[[], float],
    ) -> None:
        writing = finishing.copies if is_copied else finishing.stems
        self._closing = (1 + 1 / SAFETY) * writing.closing
        self._waiting = writing.closing  # what waits is encoded or copied
        self._ending, self._silence = writing.ending, writing.silence
        self._writing = (writing.whole - writing.closing) / num_samples
        self._otherwise = math.inf if is_copied else finishing.copies.whole
        self._splitting = finishing.splitting * num_missing / num_samples
        self._num_samples, self._deadline = num_samples, deadline
        self._pace = self._probed = pace
        self._clock, self._began = clock, clock()
        self._position, self._expected, self._is_splitting = 0, 0.0, False

    def can_write(self) -> bool:
        """Tell, at the start, whether four different stems can be written."""
        return self._pace * self._left(0) <= self._deadline - self._began

    def can_split(self, position: int) -> bool:
        """Tell whether the block at a position can be split by frequency.

        What follows it need not be, so that time is kept for no more than writing it.
        """
        self._notice(position)
        block = min(BLOCK_FRAMES, self._num_samples - position)
        work = SAFETY * self._left(position) + block * self._splitting
        self._is_splitting = self._pace * work <= self._deadline - self._clock()
        return self._is_splitting

    def is_lost(self, position: int) -> bool:
        """Tell whether what follows a position takes too long, where copies of a file would not."""
        self._notice(position)
        left = self._deadline - self._clock()
        return self._pace * self._otherwise <= left < self._pace * self._left(position) / LOST

    def is_over(self, waiting: float, silent: float) -> bool:
        """Tell whether the files have to be done with now, whatever is not in them yet.

        Args:
            waiting: Share of the song that has been taken, and is still to be encoded or copied.
            silent: Share of the song that would be silent then.
        """
        # What waits can still be ended with less, when it comes to be encoded.
        work = SAFETY * (self._ending + silent * self._silence) + waiting * self._waiting
        return self._pace * work > self._deadline - self._clock()

    def _left(self, position: int) -> float:
        return (self._num_samples - position) * self._writing + self._closing

    def _notice(self, position: int) -> None:
        """Notice how long it took to come to a position."""
        if not self._position:  # what beginning takes, the files among it, tells nothing
            self._began, self._position = self._clock(), position
        elif position > self._position:
            splitting = self._splitting if self._is_splitting else 0.0
            self._expected += (position - self._position) * (self._writing + splitting)
            self._position = position
            # It may have been stopped at the end of this, which then says nothing of its pace.
            elapsed = self._clock() - self._began - WINDOW
            if self._expected:  # where all is done in closing, nothing tells
                self._pace = max(self._probed, elapsed / self._expected)


def margin(limit: float) -> float:
    """Give the seconds of a limit that are kept for what cannot be foreseen."""
    return max(0.25, 0.03 * limit)
