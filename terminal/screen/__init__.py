"""A screen message -> an image: the QR code, texts in two languages, fonts, and when an LCD shows what."""
