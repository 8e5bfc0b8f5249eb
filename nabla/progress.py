"""`nabla course`: what is done, what is to do, how many hints were used."""

from nabla.table import render


def course() -> int:
    """What you have done of the course's exercises, what is to do, and hints used.

    `check_exercise` writes it down; it is kept across sessions in the file that is named below.
    """
    from nabla.course.exercises import exercises, numbers
    from nabla.course.progress import Done, known, place

    kept = known()
    rows = []
    for number in numbers():
        names = list(exercises(number))
        mine = {name: kept.get(name, Done()) for name in names}
        done = [name for name in names if mine[name].done]
        to_do = ", ".join(name for name in names if name not in done)
        hints = sum(each.hints for each in mine.values())
        rows.append([number, f"{len(done)} of {len(names)}", str(hints or ""), to_do])
    total = sum(each.done for each in kept.values())
    print(render(["notebook", "done", "hints", "to do"], rows))
    print(f"\n{total} done; kept in {place()}")
    return 0
