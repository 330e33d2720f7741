"""Torch models that example-level privacy can train: checked, fixed, or refused by name."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from parity_flwr.errors import ConfigError, MissingExtraError

if TYPE_CHECKING:
    from torch import nn

    from parity_flwr.clients.torch_model import ModelFactory

_LISTED = 5


def require_opacus() -> None:
    """Check that Opacus can be imported.

    Raises
    ------
    MissingExtraError
        If it cannot.
    """
    try:
        importlib.import_module("opacus")
    except ImportError as error:
        raise MissingExtraError("example-level privacy", extra="privacy") from error


def private_model(factory: ModelFactory) -> ModelFactory:
    """Return a factory of models with every unsupported layer replaced (Opacus' fixes).

    BatchNorm mixes the examples of a batch, so it becomes GroupNorm; InstanceNorm loses its
    running figures; LSTM, GRU and MultiheadAttention become Opacus' own. The arrays change:
    use the same factory on the server. The factory raises ``ConfigError`` for a layer that
    has no replacement.

    Examples
    --------
    >>> from torch import nn
    >>> build = private_model(lambda: nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4)))
    >>> type(build()[1]).__name__
    'GroupNorm'
    """

    def build() -> nn.Module:
        require_opacus()
        from opacus.validators import ModuleValidator

        fixed: nn.Module = ModuleValidator.fix(factory().train())
        check_model(fixed)
        return fixed

    return build


def check_model(model: nn.Module) -> None:
    """Check that every layer's gradients can be had example by example.

    Operations in place (``ReLU(inplace=True)``) pass Opacus' validator and fail in its hooks;
    they are switched off here, which changes no result.

    Raises
    ------
    ConfigError
        With the names of the layers that cannot stay.
    """
    require_opacus()
    from opacus.validators import ModuleValidator

    model.train()
    for module in model.modules():
        if getattr(module, "inplace", False):
            module.inplace = False  # type: ignore[assignment]
    wrong = [] if ModuleValidator.is_valid(model) else _unsupported(model)
    if wrong:
        raise ConfigError(
            "example-level privacy needs layers that treat each example by itself",
            came=", ".join(wrong[:_LISTED]),
            action="make the model with private_model(factory), on server and clients",
        )


def _unsupported(model: nn.Module) -> list[str]:
    """Return name and class of each layer that Opacus refuses."""
    from opacus.validators import ModuleValidator

    validators = ModuleValidator.VALIDATORS
    return [
        f"{name or 'the model'} ({type(module).__name__})"
        for name, module in model.named_modules()
        if type(module) in validators and validators[type(module)](module)
    ]


def has_only_dense_layers(model: nn.Module) -> bool:
    """Say whether all parameters belong to layers for which ghost clipping pays."""
    from torch import nn

    dense = (nn.Linear, nn.LayerNorm, nn.GroupNorm, nn.Embedding)
    return all(
        isinstance(module, dense)
        for module in model.modules()
        if any(True for _ in module.parameters(recurse=False))
    )


def has_tied_parameters(model: nn.Module) -> bool:
    """Say whether one parameter is used by two layers."""
    found = [
        id(each) for module in model.modules() for each in module.parameters(recurse=False)
    ]
    return len(found) != len(set(found))
