"""How names that come from outside are shown in one-line messages."""


def shown(name: object) -> str:
    """Give a name as one printable line: line breaks and undecodable bytes become escapes.

    A file may be called anything, a line break included, and a message is one line.

    Args:
        name: a path or a program's complaint.
    """
    return "".join(
        c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in str(name)
    )
