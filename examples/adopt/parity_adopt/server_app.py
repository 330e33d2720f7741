"""Take one of the two servers, so that both can be tried; an app of yours has one."""

from flwr.app import Context
from flwr.serverapp import Grid, ServerApp

from parity_adopt import stock, trusted

app = ServerApp()


@app.main()
def main(grid: Grid, context: Context) -> None:
    """Run the server that `trust` in the run config asks for."""
    chosen = trusted if context.run_config["trust"] else stock
    chosen.app(grid, context)
