"""The gateway: settings, store, services, pages, API and console of Ringledger.

Floors (ARCHITECTURE.md): `config` below everything; `db`, `uow`, `store`, `providers`, `queues`
touch the world; `services` do the deeds; `web`, `api`, `ops` are doors; `bootstrap`, `app`, `cli`,
`up` are the roof, which nothing imports.
"""
