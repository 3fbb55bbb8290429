"""The roof: commands of `ringledger`, one file per noun.

May import everything; nothing imports it but `gateway.cli`. What a command needs is imported when
it runs, so that `ringledger --help` answers at once.
"""
