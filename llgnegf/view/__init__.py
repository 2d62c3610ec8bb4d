"""Pages that show a run: the live one of `llgnegf view`, and the file of `llgnegf report`; both show the same.

`folder` reads a run folder into the arrays of `content`, `page` draws them with bokeh, `server` and `file` hand it out.
"""
