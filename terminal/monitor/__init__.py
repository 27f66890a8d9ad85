"""What a garage's messages say of it, for whoever looks on: `watch`, and a console."""
