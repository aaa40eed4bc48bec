"""The command `python -m training.synthesis.sources`: what songs are made of, as a table."""

from collections.abc import Sequence

from training.synthesis.catalogue import FONTS, KITS, PERCUSSION, VOICES, Font, Kit, Voice


def table() -> str:
    """Write a Markdown table: the name, Debian package, licence and split of every source."""
    groups: tuple[tuple[str, Sequence[Font | Kit | Voice]], ...] = (
        ("sound font", FONTS),
        ("drum kit", KITS),
        ("percussion", PERCUSSION),
        ("voice", VOICES),
    )
    lines = ["| | name | Debian package | licence | songs |", "|---|---|---|---|---|"]
    lines += [
        f"| {kind} | {source.name} | {source.package} | {source.licence} "
        f"| {source.split.replace('_', '-')} |"
        for kind, sources in groups
        for source in sources
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    print(table())
