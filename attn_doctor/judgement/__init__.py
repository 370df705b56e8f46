"""What does it mean? Rules, backends, and the recommendation; no input or output here."""
