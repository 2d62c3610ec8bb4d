"""llgnegf: Landau-Lifshitz-Gilbert dynamics coupled to time-dependent nonequilibrium Green functions.

The public names are listed in `__init__.pyi` and imported when first used, so that `import llgnegf` is quick.
"""

import lazy_loader

__version__ = "0.1.0"

_loaded, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)


def __getattr__(name):  # type: ignore[no-untyped-def]
    try:
        return _loaded(name)
    except AttributeError:
        if name.startswith("_") or name in __all__:
            raise
        import difflib

        near = difflib.get_close_matches(name, __all__, 1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise AttributeError(f"llgnegf.{name}: unknown{hint}") from None
