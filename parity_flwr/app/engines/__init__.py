"""The three engines: in this process, in Flower's simulation, on a SuperLink."""
