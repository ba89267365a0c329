"""What every room needs of the machine: files, the cache folder, threads, the processor."""
