"""Networks, the structures that they name, and models on disk."""
