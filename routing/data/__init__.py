"""Generated reference tables, read by routing.geography; `generate.py` makes them offline."""
