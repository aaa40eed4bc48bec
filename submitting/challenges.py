"""The two challenges: what each expects of a submission, and within what limits."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

ChallengeName = Literal["mdx21", "mdx23"]

TAG_PREFIX = "submission-"
"""With which every tag begins that is evaluated."""

_MDX21_SET_UP, _MDX21_SONG = 900, 240
_MDX23_SHARE = 1.57


@dataclass(frozen=True)
class Challenge:
    """A challenge.

    Attributes:
        name: For the option ``--challenge``.
        ids: What ``aicrowd.json`` must have, by key.
        switches: Keys of ``aicrowd.json`` that must be there and true or false.
        entry_points: Files without which nothing runs.
        set_up_seconds: Limit of the set-up.
        song_seconds: Limit of a song, whatever its length; None where the length decides.
        song_share: Limit of a song as a multiple of its length, otherwise.
        cores: Of the grader's machine; None where that is not known.
    """

    name: ChallengeName
    ids: Mapping[str, str]
    switches: tuple[str, ...]
    entry_points: tuple[str, ...]
    set_up_seconds: float
    song_seconds: float | None
    song_share: float
    cores: int | None

    def song_limit(self, length: float) -> float:
        """Give the seconds that a song of so many seconds may take."""
        return self.song_share * length if self.song_seconds is None else self.song_seconds


CHALLENGES: dict[ChallengeName, Challenge] = {
    "mdx21": Challenge(
        name="mdx21",
        ids={
            "challenge_id": "evaluations-api-music-demixing",
            "grader_id": "evaluations-api-music-demixing",
        },
        switches=("external_dataset_used",),
        entry_points=("run.sh", "predict.py", "my_submission/user_config.py"),
        set_up_seconds=_MDX21_SET_UP,
        song_seconds=_MDX21_SONG,
        song_share=0.0,
        cores=None,
    ),
    # Limit and hardware (4 cores, 16 GB, a T4 where `gpu` is true) as its starter kit states them.
    "mdx23": Challenge(
        name="mdx23",
        ids={"challenge_id": "music-demixing-track-mdx-23"},
        switches=("external_dataset_used", "gpu", "labelnoise", "bleeding"),
        entry_points=("my_submission/user_config.py", "my_submission/aicrowd_wrapper.py"),
        set_up_seconds=_MDX21_SET_UP,  # none is known
        song_seconds=None,
        song_share=_MDX23_SHARE,
        cores=4,
    ),
}


def challenge_of(settings: Mapping[str, object]) -> ChallengeName | None:
    """Tell which challenge the contents of ``aicrowd.json`` name; None where it is neither."""
    for name, challenge in CHALLENGES.items():
        if settings.get("challenge_id") == challenge.ids["challenge_id"]:
            return name
    return None
