"""What is said on the wire: topics, messages, who may say what, and what opens the boom."""
