"""The part of a table in which rivals stand beside ours, and the fastest of them is named."""

from runs import rival_variants, rivals, slowdown
from tables import NOTHING, between, ratio, time
from titles import title

SLOWER = "\\*"


def slower_note(factors):
    """Of the times that torch.compile takes over eager mode's, where they are more than 1."""
    return (f"{SLOWER} {between(factors, '{:.1f}'.format)} times as long as composed without "
            "`torch.compile`.")


class RivalCells:
    """Of `results`, for the rows of `keys`, in `unit` seconds."""

    def __init__(self, results, keys, unit):
        self.results = results
        self.unit = unit
        self.variants = [variant for variant in rival_variants(results)
                         if any(key.by(variant) in results for key in keys)]
        self.slowdowns = []

    def header(self, ours, unit):
        return ["fastest rival", ours, *(f"{title(variant)}, {unit}" for variant in self.variants),
                "ratio"]

    def fastest(self, key):
        return next(iter(rivals(self.results, key).values()), None)

    def row(self, key):
        """The fastest rival's name, our time, all rivals', and the fastest one's over ours."""
        ours, found = self.results[key], rivals(self.results, key)
        times = {variant: time(result, self.unit) for variant, result in found.items()}
        if slower := slowdown(found):
            self.slowdowns.append(slower)
            times["compiled"] += f" {SLOWER}"
        return [title(next(iter(found), NOTHING)), time(ours, self.unit),
                *(times.get(variant, NOTHING) for variant in self.variants),
                ratio(self.fastest(key), ours)]

    def lone(self, variant, result):
        """A row with nothing but a time in one rival's place."""
        return [NOTHING, NOTHING, *(time(result, self.unit) if each == variant else NOTHING
                                    for each in self.variants), NOTHING]

    def footnote(self):
        return [slower_note(self.slowdowns), ""] if self.slowdowns else []
