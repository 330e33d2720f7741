"""`parity completion`."""

from __future__ import annotations

import click

from parity_flwr.cli.completing import VARIABLE
from parity_flwr.cli.output import Output, examples, json_option

_SHELLS = ("bash", "zsh", "fish")
_INSTALL = {
    "bash": "parity completion bash > ~/.local/share/bash-completion/completions/parity",
    "zsh": "parity completion zsh > a file _parity in a folder of $fpath",
    "fish": "parity completion fish > ~/.config/fish/completions/parity.fish",
}


@click.command(
    epilog=examples(
        "source <(parity completion bash)",
        "parity completion bash > ~/.local/share/bash-completion/completions/parity",
        "parity completion fish > ~/.config/fish/completions/parity.fish",
    )
)
@click.argument("shell", type=click.Choice(_SHELLS))
@json_option
@click.pass_context
def completion(context: click.Context, shell: str, as_json: bool) -> None:
    """Write the script that lets a shell complete commands, options, runs and wallets."""
    from click.shell_completion import BashComplete, FishComplete, ZshComplete

    kind = {"bash": BashComplete, "zsh": ZshComplete, "fish": FishComplete}[shell]
    # not source(): for bash it starts one to look at its version
    made = kind(context.find_root().command, {}, "parity", VARIABLE)
    script = made.source_template % made.source_vars()
    result = {"shell": shell, "script": script, "install": _INSTALL[shell]}
    Output(as_json).result(result, lambda out: click.echo(script))
