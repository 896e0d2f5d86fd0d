"""Self-supervised pre-training: a latent split by the mirror, its losses, its run, its probes."""
