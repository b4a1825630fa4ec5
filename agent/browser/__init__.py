"""The trace browser, in reading order: ``index`` (what a trace holds, and where), ``listing``
(which rows, in which order), ``verdict`` (why a node won or lost), ``ink`` (bars, plots, pictures
in characters), ``panes`` (one page about a node), ``rows`` and ``app`` (the only two modules that
import Textual)."""
