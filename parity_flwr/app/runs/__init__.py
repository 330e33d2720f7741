"""One run: its folder, its checkpoints, how it ended, and how it is shown as it goes on."""
