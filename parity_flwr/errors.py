"""Everything this package raises on purpose.

::

    ParityError                what was needed; what came; what to do      exit code 3
    ├── InputError             what the user gave is wrong                 exit code 2
    │   ├── ConfigError        an option, a config field, an argument
    │   ├── DataError          a file of the user's that should hold data
    │   └── MissingExtraError  an optional dependency is not installed
    └── RunError               what was under way failed                   exit code 3
        ├── JournalError       the journal is missing, corrupt or locked
        ├── CheckpointError    a checkpoint is missing or corrupt
        ├── ContentError       published content is missing, damaged or unreachable
        ├── BudgetError        a release would exceed the privacy budget
        ├── EngineError        an engine or an app could not run
        ├── StoppedError       the user stopped a run that can go on       exit code 130
        └── ChainError         a chain, its node or a contract did not do what was asked
            ├── NodeError      the node is away or talks nonsense: ask again later
            ├── RefusedError   the node understood a transaction and did not take it
            └── RevertError    a contract refused; `data` holds what it said

Exit code 1 is no error: a check that was made to the end found something.
"""

from __future__ import annotations

from typing import ClassVar


class ParityError(Exception):
    """An error in three parts, printed on one line.

    Parameters
    ----------
    needed : str
        What was needed.
    came : str, keyword-only
        What came instead.
    action : str, keyword-only
        What to do about it.

    Examples
    --------
    >>> print(ConfigError("trimmed mean needs n > 2f", came="n=4, f=2", action="lower f"))
    trimmed mean needs n > 2f; got n=4, f=2; lower f
    """

    exit_code: ClassVar[int] = 3

    def __init__(self, needed: str, *, came: str, action: str) -> None:
        self.needed = needed
        self.came = came
        self.action = action
        super().__init__(" ".join(f"{needed}; got {came}; {action}".split()))

    def __reduce__(self) -> tuple[object, ...]:
        """Survive a trip between processes: keyword-only arguments need help there."""
        return _rebuild, (type(self), self.needed, self.came, self.action)


def _rebuild(kind: type[ParityError], needed: str, came: str, action: str) -> ParityError:
    return kind(needed, came=came, action=action)


class InputError(ParityError, ValueError):
    """What the user gave is wrong."""

    exit_code = 2


class ConfigError(InputError):
    """An option, a configuration field or an argument is out of range."""


class DataError(InputError):
    """A file that should hold the user's data does not."""


class MissingExtraError(InputError, ImportError):
    """An optional dependency is needed and not installed."""

    def __init__(self, feature: str, *, extra: str) -> None:
        super().__init__(
            f"{feature} needs the extra '{extra}'",
            came="an installation without it",
            action=f"run: pip install 'parity-flwr[{extra}]'",
        )
        self.feature = feature
        self.extra = extra

    def __reduce__(self) -> tuple[object, ...]:
        """See :meth:`ParityError.__reduce__`."""
        return _rebuild_extra, (self.feature, self.extra)


def _rebuild_extra(feature: str, extra: str) -> MissingExtraError:
    return MissingExtraError(feature, extra=extra)


class RunError(ParityError, RuntimeError):
    """What was under way failed."""


class JournalError(RunError):
    """The journal is missing, corrupt or locked."""


class CheckpointError(RunError):
    """A checkpoint is missing or corrupt."""


class ContentError(RunError):
    """Content that a CID names is missing, damaged, too large, or its store fails."""


class BudgetError(RunError):
    """A release would exceed the privacy budget, so it does not happen."""


class EngineError(RunError):
    """An engine or an app could not run."""


class StoppedError(RunError):
    """The user stopped a run that can be continued."""

    exit_code = 130


class ChainError(RunError):
    """A chain, its node or a contract did not do what was asked."""


class NodeError(ChainError):
    """The node is away, overloaded or talks nonsense; asking again later may help."""


class RefusedError(ChainError):
    """The node understood a transaction and did not take it.

    ``refusal`` is one of "known", "nonce too low", "nonce too high", "underpriced",
    "funds" and "other".
    """

    def __init__(self, needed: str, *, came: str, action: str, refusal: str = "other") -> None:
        super().__init__(needed, came=came, action=action)
        self.refusal = refusal

    def __reduce__(self) -> tuple[object, ...]:
        """See :meth:`ParityError.__reduce__`."""
        return _rebuild_refused, (self.needed, self.came, self.action, self.refusal)


def _rebuild_refused(needed: str, came: str, action: str, refusal: str) -> RefusedError:
    return RefusedError(needed, came=came, action=action, refusal=refusal)


class RevertError(ChainError):
    """A contract refused; ``data`` holds the selector and arguments of its error."""

    def __init__(self, needed: str, *, came: str, action: str, data: bytes = b"") -> None:
        super().__init__(needed, came=came, action=action)
        self.data = data

    def __reduce__(self) -> tuple[object, ...]:
        """See :meth:`ParityError.__reduce__`."""
        return _rebuild_revert, (self.needed, self.came, self.action, self.data)


def _rebuild_revert(needed: str, came: str, action: str, data: bytes) -> RevertError:
    return RevertError(needed, came=came, action=action, data=data)
