"""Content addressing: what a file is called, whoever stores it."""
