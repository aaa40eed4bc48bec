"""Bad inputs by the thousand: whatever is in a file, what comes out is stems or a `DemixError`."""
