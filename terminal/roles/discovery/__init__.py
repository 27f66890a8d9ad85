"""The discovery role: announces each lane of the garage to Home Assistant, which then shows it by itself.

It is one way: what is announced can be looked at, and has no topic for commands. Nothing that is said to it, or by Home
Assistant, moves a boom.
"""
