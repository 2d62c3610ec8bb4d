"""The run folder: what a run commits while it lasts, how it continues after a kill, and the one file it leaves.

Uses `result` for the labels of the data; `commands`, `sweep` and `config` stand above.
"""

from llgnegf._files import DamagedRunError, FolderInUseError, StorageError
from llgnegf.store.folder import OtherInputError, RunFolder, RunStatus
from llgnegf.store.running import run_in_folder

__all__ = [
    "DamagedRunError", "FolderInUseError", "OtherInputError", "RunFolder", "RunStatus", "StorageError", "run_in_folder",
]  # fmt: skip
