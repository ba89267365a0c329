"""The laboratory of mintad: compares methods, draws the papers' figures, writes the book."""

import mintad as mintad  # before anomalib: it switches the telemetry of dependencies off
