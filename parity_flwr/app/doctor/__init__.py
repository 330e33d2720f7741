"""Whether this machine, and what it is to work with, is fit for a run."""
