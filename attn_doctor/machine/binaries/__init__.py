"""What compiled files say of themselves: libraries, symbols, versions and GPU code, read without running them."""
