"""One round: the mean of the noisy sums, each checked, or all of them under masks."""

from flwr.app import Array, ArrayRecord, Context
from flwr.serverapp import Grid, ServerApp

from parity_flwr.core.privacy.sums_release import no_sums
from parity_flwr.strategies import ReleasedSums, Sampling, SecureAggregation, SecureSetup
from releasedapp.task import BUDGET, FOREST, LINEAR, ROWS

app = ServerApp()


@app.main()
def main(grid: Grid, context: Context) -> None:
    """Run the round; the journal keeps everything."""
    count = int(context.run_config["num-clients"])
    release = LINEAR if context.run_config["model"] == "linear" else FOREST
    sampling = Sampling(fraction_evaluate=0.0, min_train_nodes=count, min_available_nodes=count)
    setup = SecureSetup(sampling=sampling, clipping_range=2.0 * ROWS)
    strategy = (
        SecureAggregation(setup=setup, seed=7, promise=BUDGET)
        if context.run_config["hidden"]
        else ReleasedSums(release, sampling=sampling, seed=7, promise=BUDGET)
    )
    zeros = {name: Array(each) for name, each in no_sums(release).items()}
    strategy.start(grid, ArrayRecord(zeros), num_rounds=1)
