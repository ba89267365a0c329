"""What every room needs of the machine: files, the cache folder, threads, the processor."""

from mintad.system.directory import default_cache_directory
from mintad.system.files import (
    file_digest,
    read_json,
    replacing,
    write_bytes,
    write_json,
    write_text,
)
from mintad.system.processor import has_bfloat16, measured_on
from mintad.system.progress import Progress
from mintad.system.provenance import git_state, package_versions
from mintad.system.threads import core_count
from mintad.system.words import counted, printable, shortened

__all__ = [
    "Progress",
    "core_count",
    "counted",
    "default_cache_directory",
    "file_digest",
    "git_state",
    "has_bfloat16",
    "measured_on",
    "package_versions",
    "printable",
    "read_json",
    "replacing",
    "shortened",
    "write_bytes",
    "write_json",
    "write_text",
]
