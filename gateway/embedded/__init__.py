"""Servers and processes that `ringledger up` starts: PostgreSQL and Valkey from wheels, and the
tether that no child survives its launcher. Part of the roof: may import gateway.config, psycopg,
redis and its own folder; the roof and tests import it.
"""
