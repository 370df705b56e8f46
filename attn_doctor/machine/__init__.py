"""What is there? The target environment, the host, the probes, and the facts they give."""
