"""Voice activity detection: whether somebody is speaking."""
