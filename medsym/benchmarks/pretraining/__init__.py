"""What pre-training gives a training, and what the parts of its latent know."""
