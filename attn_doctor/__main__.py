"""python -m attn_doctor."""

from attn_doctor.cli import main

main()
