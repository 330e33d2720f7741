"""Which rounds of a run are published: one small file a round in the run's folder."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from parity_flwr.core.canonical import dumps, loads
from parity_flwr.core.content.records import Publication
from parity_flwr.errors import ContentError, JournalError
from parity_flwr.files import atomic_file

_FILE = re.compile(r"round-(\d{5,18})\.json")
_MAX_BYTES = 4096


@dataclass(frozen=True)
class FolderPublications:
    """The publications of one run, ``round-00007.json`` (implements ``PublicationLog``).

    Parameters
    ----------
    folder : Path
        Where they lie; made with the first one.
    """

    folder: Path

    def published(self, round_number: int) -> Publication | None:
        """Return what was published of a round, None if it was not.

        Raises
        ------
        ContentError
            The file is there and damaged.
        """
        path = self._path(round_number)
        try:
            with path.open("rb") as file:
                found = loads(file.read(_MAX_BYTES), Publication)
        except FileNotFoundError:
            return None
        except (OSError, JournalError) as error:
            raise _damaged(path, str(error)[:120]) from error
        if found.round != round_number:
            raise _damaged(path, f"round {found.round}")
        return found

    def has(self, round_number: int) -> bool:
        """Say whether there is a note of a round, without reading it."""
        return self._path(round_number).exists()

    def before(self, round_number: int) -> Publication | None:
        """Return what was published last of the rounds below; errors as :meth:`published`."""
        earlier = [number for number in self.rounds() if number < round_number]
        return self.published(earlier[-1]) if earlier else None

    def publish(self, publication: Publication) -> None:
        """Write down that a round is published.

        Raises
        ------
        ContentError
            The file cannot be written.
        """
        path = self._path(publication.round)
        try:
            with atomic_file(path) as file:
                file.write(dumps(publication))
        except OSError as error:
            raise _damaged(path, error.strerror or str(error)) from error

    def rounds(self) -> list[int]:
        """Return the rounds that are published, in order."""
        names = [path.name for path in self.folder.glob("round-*.json")]
        return sorted(int(found[1]) for name in names if (found := _FILE.fullmatch(name)))

    def _path(self, round_number: int) -> Path:
        return self.folder / f"round-{round_number:05d}.json"


def _damaged(path: Path, came: str) -> ContentError:
    return ContentError(
        f"{path} needs to say what was published",
        came=came,
        action="delete it and publish the round again",
    )
