"""Phase 1: one TFC-TDF network per source, trained by Lightning and configured by Hydra."""
