"""What screening costs: time per stage, memory, throughput."""
