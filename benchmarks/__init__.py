"""Measurements that anybody can repeat: `python -m benchmarks.webhook`, `.settle`, `.growth`.

Not part of the product: nothing imports this package. Each command starts a PostgreSQL of its own
with the settings of production, prints a table and ratios, and leaves nothing behind.
"""
