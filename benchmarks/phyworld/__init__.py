"""PhyWorld (Kang et al. 2024, "How Far is Video Generation from World Model"): one ball in uniform
motion, two balls that collide head-on, one ball on a parabola. Generator, splits and files of the
published benchmark, written anew.

``world`` simulates and draws, ``scenes`` holds ranges, splits and placement, ``files`` reads and
writes the HDF5 layout. World units are those of the benchmark: 10 x 10, seconds, y up.
"""
