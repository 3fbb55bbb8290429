"""Floor 2: the deeds. One function per deed: takes a unit of work, returns a value.

May import the store, `gateway.queues` names, provider protocols and floor 0; never flask, redis,
rq or twilio. A caller's mistake is an exception of `errors`; a refusal of the business is one too,
and carries words that can be shown as they are.
"""
