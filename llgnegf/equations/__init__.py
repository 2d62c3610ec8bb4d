"""The equations of motion as right-hand sides: full electrons, slow electrons, moments alone."""
