"""How an answer of a model is taken apart, in reading order: ``speech`` (what it says, without what
it thinks), ``blocks`` (fenced blocks), ``objects`` (JSON wherever it stands), ``files`` (which
source is which program), ``edits`` (changes of the parent's programs). All in time linear in the
answer's length.
"""
