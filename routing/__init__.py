"""Who rings, in which order, and what is said: the rules of forwarding.

Pure as a whole folder: values in, values out; no clock, no database, no network. May import the
standard library, phonenumbers (core only), holidays, and (twiml.py alone) the SDK's TwiML
builder. Imports neither billing nor gateway.
"""
