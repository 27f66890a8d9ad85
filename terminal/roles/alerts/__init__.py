"""The alerts role: sends what a person must know to a webhook and by e-mail.

It hears every role's alerts, and tells of each kind at a place at once. What comes again meanwhile is counted, and told
when ``again_after`` is over. So a storm is a message a minute at most, each with everything that was new in it. A
message that cannot be delivered is tried again, with growing pauses and a limit; that it is so stands in this role's
health, and in the alert ``alerts-undelivered`` for whoever looks at the desk.
"""
