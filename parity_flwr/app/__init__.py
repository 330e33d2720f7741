"""Runs: their folders, journals, engines, reports and what verifies them."""
