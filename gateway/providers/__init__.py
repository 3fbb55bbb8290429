"""Floor 1: the outside world behind protocols: telephony and mail.

May import floor 0 and the client library of its one provider (twilio, smtplib), which is loaded
when the first call is made, not on import. Never flask, the store or RQ.
"""
