"""The float networks, by the name of their method."""
