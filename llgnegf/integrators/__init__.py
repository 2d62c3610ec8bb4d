"""Steps in time: methods, step-size control, dense output; but for `heun`, moments with noise, nothing here knows what
is integrated."""
