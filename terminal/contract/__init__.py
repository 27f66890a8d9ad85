"""The contract on the wire: topics, messages, who may publish what, and what raises the boom."""
