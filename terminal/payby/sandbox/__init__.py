"""A strict look-alike of PayBy, written from its API page: for tests, demonstrations and integrators.

``server.Sandbox`` is the whole of it; ``serve`` runs it as a command.
"""
