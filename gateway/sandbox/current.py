"""The carrier that the running Flask app speaks for."""

from flask import current_app

from gateway.sandbox.carrier import Carrier


def the_carrier() -> Carrier:
    carrier: Carrier = current_app.config["CARRIER"]
    return carrier
