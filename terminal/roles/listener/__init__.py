"""The listener role: takes PayBy's notifications, and answers SUCCESS once the worker has journaled them.

It keeps no state: whatever it forgets, PayBy sends again. The signature over the raw bytes decides who spoke. So the
Content-Type does not matter, and nothing unsigned is parsed, repeated or answered with more than a status.

======  =====================================================================================================
200     ``{"response": "SUCCESS"}``: a receipt came, whatever its outcome; or the payment is another merchant's,
        which is counted, alerted at most once in ten minutes, and not passed on
400     signed by PayBy, but not a notification (alert ``bad-notification``); or not HTTP
401     signature absent, malformed or wrong; delayed while many connections are open, to slow a flood down
404     another path; 405 another method; below ``/receipt/`` see invoice_pages.py
408     the body did not arrive within 5 s
413     a body over 64 KiB, or one too large for a message even when deflated (alert ``bad-notification``)
503     no receipt within 3 s, or too many notifications are waiting for theirs, or the order's number names another
        garage (alert ``another-garage``): PayBy tries again
======  =====================================================================================================
"""
