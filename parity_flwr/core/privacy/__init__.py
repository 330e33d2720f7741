"""Differential privacy: noise, mechanisms, accounting, the ledger, and what may be combined."""
