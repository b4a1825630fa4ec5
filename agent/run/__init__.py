"""What a run leaves on disk and reads back: its folder, its trace, records, blobs; spans for
telemetry."""
