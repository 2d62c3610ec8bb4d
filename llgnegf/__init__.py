"""llgnegf: Landau-Lifshitz-Gilbert dynamics coupled to time-dependent nonequilibrium Green functions.

The public names are listed in `__init__.pyi` and imported when first used, so that `import llgnegf` is quick.
"""

import lazy_loader

__version__ = "0.2.0"

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
