"""Phase 2 of the published training: the Mixer over the four frozen networks of phase 1."""
