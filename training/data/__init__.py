"""Songs, the chunks that are mixed of them, and the Lightning data module that hands them out."""
