"""The listener role: PayBy's notifications come in, and are answered SUCCESS once the worker has journaled them.

It keeps no state: whatever it forgets, PayBy sends again. The signature over the raw bytes decides who spoke, so the
Content-Type is not looked at, and nothing that was not signed is parsed, repeated or answered with more than a status.

======  =====================================================================================================
200     ``{"response": "SUCCESS"}``: a receipt came, whatever its outcome; or it is about a payment to another merchant,
        which is counted, alerted at most once in ten minutes, and not passed on
400     signed by PayBy, but no notification (alert ``bad-notification``); or no HTTP
401     signature absent, malformed or wrong; late while many connections are open, which slows a flood down
404     another path; 405 another method
408     the body did not arrive within 5 s
413     a body over 64 KiB, or one that no message can hold even deflated (alert ``bad-notification``)
503     no receipt within 3 s, or too many notifications wait for theirs: PayBy tries again
======  =====================================================================================================
"""
