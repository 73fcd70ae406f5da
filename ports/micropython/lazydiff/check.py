"""Replays an entry's steps without computing: no step writes what somebody still needs (plan/SPEC.md, rules 3, 5 and 7)."""

from .plan import need


class Replay:
    """Which buffers hold the value that they are named for, step after step of one entry."""

    def __init__(self, plan, entry):
        record, inputs, outputs, updates = plan.entries[entry]
        self.plan = plan
        self.entry = entry
        self.outputs = [s[1] for s in outputs]
        self.updates = updates
        self.state = [s[1] for s in plan.state]
        self.valid = [b[0] == 1 for b in plan.buffers]
        for k in self.state + [s[1] for s in inputs]:
            self.valid[k] = True
        self.made = self.valid[:]

    def step(self, where, reads, writes, shares=None):
        """One step. `shares` says of pairs (read, written) of `map` how they may share bytes (map.decode)."""
        buffers = self.plan.buffers
        for k in reads:
            need(self.valid[k], where, "reads buffer %d, which nobody has written" % k)
        for at, w in enumerate(writes):
            need(self.plan.in_ram(w), where, "writes buffer %d, which is not in RAM" % w)
            need(not self.made[w], where, "writes buffer %d a second time" % w)
            self.made[w] = True
            for other in writes[:at]:
                need(not self.plan.overlap(w, other), where, "two outputs share bytes")
            for r in reads:
                if self.plan.overlap(r, w):
                    at, same = shares and shares.get((r, w)) or (None, False)
                    _, _, kind, begin, size = buffers[w]
                    own = at is not None and buffers[r][2] == kind and buffers[r][3] == begin + at
                    own = own and (not same or buffers[r][4] == size)
                    need(own, where, "writes over buffer %d, which it reads" % r)
        for w in writes:
            for k in range(len(buffers)):
                if self.plan.overlap(k, w):
                    self.valid[k] = False
        for w in writes:
            self.valid[w] = True

    def end(self):
        """After the last step."""
        where = "entry " + self.entry
        new = dict(self.updates)
        for k in self.outputs:
            need(self.valid[k] or self.plan.buffers[k][0] == 2, where, "an output is not written")
        for k in self.state:
            need(self.valid[new.get(k, k)], where, "a parameter is lost")
