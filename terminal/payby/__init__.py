"""PayBy's acquiring API: everything that goes if PayBy goes. Imports nothing else of this project.

``client``      the calls; ``errors`` what they raise, ``requests`` what goes in, ``messages`` what comes back
``signing``     keys, signatures
``statements``  the day's files
``sandbox``     a strict look-alike of PayBy for tests and demonstrations
``wire``, ``rate``, ``clock`` and ``strict`` stand under the client: one call, its turn, its time, its JSON.
"""
