"""One hint per file: `advise` answers what helps on this machine where no FlashAttention runs, or None."""
