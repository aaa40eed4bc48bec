"""What a user finds after the worst: killed runs, full disks, songs that cannot be read."""
