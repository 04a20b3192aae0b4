"""The service: intel and records in, sightings and investigations out, for a year."""
