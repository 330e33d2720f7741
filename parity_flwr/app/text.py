"""Text that came from clients, made safe to show on one line of a terminal."""

from __future__ import annotations


def visible(text: str) -> str:
    r"""Return the text with a replacement for each control character, newlines included.

    Examples
    --------
    >>> visible("a  b\x1b[2J")
    'a  b�[2J'
    """
    return "".join(letter if letter.isprintable() else "\ufffd" for letter in text)


def printable(text: object, *, limit: int = 200) -> str:
    r"""Return the text on one line without control characters, at most `limit` long.

    Identities and reasons come from clients: an escape sequence in one could repaint the
    terminal, a newline could forge a line, a bidirectional override could reorder one.

    Examples
    --------
    >>> printable("site\x1b[2J one\n two")
    'site�[2J one two'
    >>> printable("abcdef", limit=4)
    'abc…'
    """
    clean = visible(" ".join(str(text)[: 8 * limit].split()))
    return clean if len(clean) <= limit else clean[: limit - 1] + "…"
