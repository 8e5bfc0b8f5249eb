"""Answers to the exercises: exNN.RIGHT and exNN.WRONG, by exercise. Read by test_exercises.

RIGHT[name]: other right ways than the notebook's solution, at least two. WRONG[name]: at least
six, each (answer, the step it stops at, the key of the slip it is taken for, or None).
"""
