"""Wall clock and memory of probes, training steps and checkpointed steps over model sizes."""
