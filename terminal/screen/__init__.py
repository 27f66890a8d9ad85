"""A screen message -> an image: QR, texts in two languages, fonts, and when an LCD shows what."""
