"""The book of benchmarks: tables as data, runs in processes of their own, pages from the runs."""
