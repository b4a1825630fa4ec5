"""From pixels to SI units, in reading order: ``quantity`` (a number with error and unit, as typed),
``scale`` (metres a pixel, from one known thing), ``given`` (what a person said, kept with a run),
``convert`` (values, errors and units of parameters and states), ``tracks`` (the table of a clip).
"""
