"""Do what a plan says, or put everything back."""
