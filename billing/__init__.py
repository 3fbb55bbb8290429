"""Money rules: what a leg costs, what a balance affords, what a posting says and why.

Floor 0, pure: values in, values out. No clock, no database, no network.
May import: the standard library, phonenumbers (where a number belongs), holidays (business days)
and this folder.
Never imports: gateway, routing, webhooks, workers, or any framework.
"""
