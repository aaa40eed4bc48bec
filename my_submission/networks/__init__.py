"""Functions of fixed shape on spectrograms or waveforms, and the backends that run them."""
