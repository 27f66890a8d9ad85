"""A tax invoice for people: asked for over MQTT, as a page for a phone, and on paper."""
