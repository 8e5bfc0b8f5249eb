import sys

from nabla.course.book.build import build

print(build(only=sys.argv[1:]) / "index.html")
