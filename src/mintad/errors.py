"""The errors a user can mend.

Each one says what is wrong, names the file or field, and says what to do about it.
Everything else that is raised is a defect of mintad.
"""

__all__ = [
    "BundleError",
    "ConfigError",
    "DataError",
    "ImageError",
    "MintadError",
    "MissingExtraError",
    "StorageError",
    "WeightsError",
]


class MintadError(Exception):
    """What is wrong, and how to mend it; the command line prints both and exits with 2."""

    def __init__(self, problem: str, mend: str) -> None:
        super().__init__(f"{problem} {mend}")
        self.problem = problem
        self.mend = mend

    def __reduce__(self) -> tuple[type["MintadError"], tuple[str, str]]:
        return type(self), (self.problem, self.mend)


class DataError(MintadError):
    """A data set, manifest, image or mask cannot be used."""


class ImageError(DataError):
    """One image or mask cannot be decoded."""


class ConfigError(MintadError):
    """A recipe, option or combination of options cannot be used."""


class WeightsError(MintadError):
    """A backbone's weights are not at hand."""


class BundleError(MintadError):
    """A bundle is incomplete, changed or from another version."""


class StorageError(MintadError):
    """A file cannot be written: the disk is full, or the place is forbidden."""


class MissingExtraError(MintadError):
    """A part of mintad needs packages that are not installed."""

    def __init__(self, what: str, extra: str) -> None:
        super().__init__(
            f"{what} needs packages that are not installed.",
            f"Install them with: pip install 'mintad[{extra}]'",
        )
        self.what = what
        self.extra = extra

    def __reduce__(self) -> tuple[type["MissingExtraError"], tuple[str, str]]:
        return type(self), (self.what, self.extra)
