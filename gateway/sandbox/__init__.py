"""The sandbox carrier: a program of its own that plays Twilio, for the demo and for the tests.

It speaks Twilio's REST, interprets TwiML, posts signed webhooks and keeps its own record of what it
billed. It is a stranger to the gateway: it imports the standard library, Flask, requests and its
own folder, never a rule, a table or the Twilio SDK, so that the two can disagree and a test can see
it. Nothing outside imports it but tests.
"""
