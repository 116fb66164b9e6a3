"""The code of the package, without that of the bundle that comes with it, which is data here."""

from pathlib import Path


def code_files(package: Path) -> list[Path]:
    """Python files of a package in order."""
    bundle = package / "bundles" / "default"
    return sorted(path for path in package.rglob("*.py") if bundle not in path.parents)
