"""Which systems have heard in training what they are scored on."""

from collections import Counter
from collections.abc import Sequence

from evaluator.aggregation import counted

HEARD_TEST_SONGS = {
    "leaderboard_b": "was trained on",
    "leaderboard_c": "contains a network that was trained on",
    "leaderboard_c_demucs": "contains a network that was trained on",
    "mdx_extra": "was trained on",
}
"""Systems whose networks have MUSDB18's test songs in their training set, and how they do."""

OWN_NETWORKS = ("starter",)
"""Systems that have heard no song of MUSDB18."""

TEST_SONGS = """
AM Contra - Heart Peripheral
Al James - Schoolboy Facination
Angels In Amplifiers - I'm Alright
Arise - Run Run Run
BKS - Bulldozer
BKS - Too Much
Ben Carrigan - We'll Talk About It All Tonight
Bobby Nobody - Stitch Up
Buitraker - Revo X
Carlos Gonzalez - A Place For Us
Cristina Vane - So Easy
Detsky Sad - Walkie Talkie
Enda Reilly - Cur An Long Ag Seol
Forkupines - Semantics
Georgia Wonder - Siren
Girls Under Glass - We Feel Alright
Hollow Ground - Ill Fate
James Elder & Mark M Thompson - The English Actor
Juliet's Rescue - Heartbeats
Little Chicago's Finest - My Own
Louis Cressy Band - Good Time
Lyndsey Ollard - Catching Up
M.E.R.C. Music - Knockout
Moosmusic - Big Dummy Shake
Motor Tapes - Shore
Mu - Too Bright
Nerve 9 - Pray For The Rain
PR - Happy Daze
PR - Oh No
Punkdisco - Oral Hygiene
Raft Monk - Tiring
Sambasevam Shanmugam - Kaathaadi
Secretariat - Borderline
Secretariat - Over The Top
Side Effects Project - Sing With Me
Signe Jakobsen - What Have You Done To Me
Skelpolu - Resurrection
Speak Softly - Broken Man
Speak Softly - Like Horses
The Doppler Shift - Atrophy
The Easton Ellises (Baumi) - SDRNR
The Easton Ellises - Falcon 69
The Long Wait - Dark Horses
The Mountaineering Club - Mallory
The Sunshine Garcia Band - For I Am The Moon
Timboz - Pony
Tom McKenzie - Directions
Triviul feat. The Fiend - Widow
We Fell From The Sky - Not You
Zeno - Signs
""".strip().splitlines()
"""MUSDB18's, by which they are known in a plain folder too."""


def contamination(
    system: str, song: str, subset: str | None = None, split: str | None = None
) -> str | None:
    """Say why a system's score on a song means little; None where it means something.

    Args:
        system: its name.
        song: likewise.
        subset: of MUSDB18, which the song is from; None where that is not known.
        split: of its train subset, likewise.
    """
    if system in HEARD_TEST_SONGS and (subset == "test" or _letters(song) in _KNOWN):
        return (
            f"{system} {HEARD_TEST_SONGS[system]} MUSDB18's test songs: its scores on them mean"
            " nothing, only those of systems such as leaderboard_a do"
        )
    if split == "valid" and system not in OWN_NETWORKS:
        return (
            f"MUSDB18's validation songs are what networks are chosen by, and some are trained on"
            f" them as well: unless {system}'s networks are your own, its scores on them say little"
            " of other songs"
        )
    if subset == "train" and system not in OWN_NETWORKS:
        return (
            f"MUSDB18's train songs are what {system}'s networks were trained on, unless they are"
            " your own: its scores on them say little of other songs"
        )
    return None


def union(warnings: Sequence[str | None]) -> list[str]:
    """Give the warnings of several songs, each once, with a count where it is not of all of them.

    Args:
        warnings: of each song; None where there is none.
    """
    found = Counter(warning for warning in warnings if warning is not None)
    return [
        warning if count == len(warnings) else f"{warning} ({counted(count, len(warnings))})"
        for warning, count in found.items()
    ]


def _letters(name: str) -> str:
    """Reduce a name to what unpackers and file systems leave of it."""
    return "".join(c for c in name.casefold() if c.isalnum())


_KNOWN = frozenset(map(_letters, TEST_SONGS))
