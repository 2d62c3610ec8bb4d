"""Steps in time: methods, step-size control, dense output; nothing here knows what is integrated."""
