"""Machine code as nvdisasm prints it: what each instruction reads and writes, and the fast path."""
import collections
import dataclasses
import re


@dataclasses.dataclass
class Instruction:
    """One line of the disassembly. `reads` and `writes` are registers' names (R1, UR4)."""
    guard: str  # the predicate under which it is executed, or nothing
    opcode: str
    operands: str
    reads: set = dataclasses.field(default_factory=set)
    writes: set = dataclasses.field(default_factory=set)
    constants: set = dataclasses.field(default_factory=set)  # banks and offsets
    label: str = ""  # where it branches to
    next: list = dataclasses.field(default_factory=list)
    of_tensor: bool = False  # whether it accesses elements

    @property
    def is_load(self):
        return self.opcode.startswith(("LDG", "LD."))

    @property
    def is_store(self):
        return self.opcode.startswith(("STG", "ST."))

    @property
    def bytes(self):
        for suffix, size in ((".128", 16), (".64", 8), (".U16", 2), (".S16", 2), (".U8", 1), (".S8", 1)):
            if suffix in self.opcode:
                return size
        return 4


def registers(text, count=1):
    """The registers that an operand names, `count` of them from the first on."""
    found = set()
    for kind, number, wide in re.findall(r"\b(U?R)(\d+)(?:\.reuse)?(\.64)?", text):
        found |= {f"{kind}{int(number) + i}" for i in range(max(count, 2 if wide else 1))}
    return found


def width(opcode):
    """How many registers an instruction's result takes, where its name tells."""
    if re.search(r"\.128\b", opcode):
        return 4
    wide = re.search(r"\.64\b|\.WIDE\b|^D(ADD|MUL|FMA)|^F2F\.F64|^I2F\.F64|^CS2R", opcode)
    return 2 if wide and not opcode.startswith("ST") else 1


def parse(line):
    match = re.match(r"\s*/\*[0-9a-f]+\*/\s+(?:(@!?U?P\w+) +)?([A-Z][\w.]*) *(.*?) *;", line)
    if not match:
        return None
    self = Instruction(match[1] or "", match[2], match[3])
    if target := re.search(r"`\((\.L\w+)\)", self.operands):
        self.label = target[1]
    self.constants = {(int(bank, 16), int(offset, 16))
                      for bank, offset in re.findall(r"c\[(0x\d)\]\[(0x[0-9a-f]+)\]", self.operands)}
    operands = [each.strip() for each in self.operands.split(",")]
    if self.is_store or re.match(r"ST[SL]|BRA|EXIT|BSYNC|BSSY|RED|BAR", self.opcode):
        self.reads = registers(self.operands)
        if self.is_store:
            self.reads |= registers(operands[-1], width(self.opcode) if ".128" in self.opcode else self.bytes // 4 or 1)
        return self
    results = 1
    while results < len(operands) and re.fullmatch(r"U?P[\dT]", operands[results - 1]):
        results += 1  # predicates before the register
    if "SETP" in self.opcode:
        results -= 1  # nothing but predicates
    for operand in operands[:results]:
        self.writes |= registers(operand, width(self.opcode))
    # Of a double or a wide product the second register is not named.
    pair = 2 if re.match(r"D[A-Z]|F2F\.F32\.F64", self.opcode) else 1
    self.reads = {name for each in operands[results:] for name in registers(each, pair)}
    return self


def link(body, labels):
    """Gives each instruction those that may come next."""
    reconverge = {}
    for i, each in enumerate(body):
        after = [i + 1] if i + 1 < len(body) else []
        if each.opcode == "BSSY":
            reconverge[each.operands.split(",")[0]] = labels[each.label]
        if each.opcode.startswith("BRA") and each.label:
            target = labels[each.label]
            unconditional = not each.guard and not re.match(r"U?P|!U?P", each.operands)
            each.next = [target] if unconditional else after + [target]
        elif each.opcode.startswith("BSYNC") and not each.guard:
            each.next = [reconverge.get(each.operands.strip(), i + 1)]
        elif each.opcode.startswith(("EXIT", "RET", "BRX", "BPT")):
            each.next = after if each.guard else []
        else:
            each.next = after
        each.next = [place for place in each.next if place < len(body)]


def find_tensors(body, pointers):
    """Follows the pointers among the kernel's parameters to the instructions that use them as an address."""
    before = [None] * len(body)
    waiting = [(0, {})]
    while waiting:
        place, arriving = waiting.pop()
        known = before[place]
        if known is None:
            known = before[place] = {}
            changed = True
        else:
            changed = False
        for register, of in arriving.items():
            if not of <= known.get(register, set()):
                known[register] = known.get(register, set()) | of
                changed = True
        if not changed:
            continue
        each = body[place]
        after = dict(known)
        sources = set(each.constants)
        for register in each.reads:
            sources |= known.get(register, set())
        loads = each.is_load or each.opcode.startswith(("LDS", "LDL"))
        if each.is_load or each.is_store:
            address = re.search(r"\[[^]]*\]$|\[[^\]]*\]\[[^\]]*\]|\[.*\]", each.operands)
            each.of_tensor = any(bank == 0 and offset in pointers for register in registers(address[0], 2)
                                 for bank, offset in known.get(register, ()))
        for register in each.writes:
            if loads:
                after.pop(register, None)
            elif sources or not each.guard:
                after[register] = sources  # what uses it has the same guard, so the older value does not matter
        waiting += [(following, after) for following in each.next]


def depth_first(body, starts, inside):
    """The instructions in an order in which each comes before its successors, but for loops; and the edges that close
    loops."""
    order, closing, state = [], set(), {}
    for start in starts:
        if start in state:
            continue
        state[start] = 1
        stack = [(start, iter(body[start].next))]
        while stack:
            place, successors = stack[-1]
            for following in successors:
                if following not in inside:
                    continue
                if following not in state:
                    state[following] = 1
                    stack.append((following, iter(body[following].next)))
                    break
                if state[following] == 1:
                    closing.add((place, following))
            else:
                state[place] = 2
                order.append(place)
                stack.pop()
    return order[::-1], closing


def loop_of(body, counts):
    """The places of the loop that has the most of what `counts` says, and its first; or nothing."""
    order, _ = depth_first(body, [0], set(range(len(body))))
    above = collections.defaultdict(list)
    for place in order:
        for following in body[place].next:
            above[following].append(place)
    component, best = {}, (0, None, None)
    for start in order:
        if start in component:
            continue
        members, stack = [], [start]
        component[start] = start
        while stack:
            place = stack.pop()
            members.append(place)
            for previous in above[place]:
                if previous not in component:
                    component[previous] = start
                    stack.append(previous)
        count = sum(counts(body[place]) for place in members)
        if len(members) > 1 and count > best[0]:
            best = (count, set(members), start)
    return best[1], best[2]


def fast_path(body, is_wide):
    """The instructions of the fast path in order, and whether it is one round of a loop."""
    inside, start = loop_of(body, lambda each: each.is_load and each.of_tensor)
    is_loop = inside is not None
    if not is_loop:
        inside, start = set(range(len(body))), 0
    order, closing = depth_first(body, [start], inside)
    best = {}  # of each place: wide accesses and instructions from it to the end, and the next place
    for place in reversed(order):
        each = body[place]
        choices = []
        for following in each.next:
            if (place, following) in closing:
                if following == start:
                    choices.append((0, 0, None))
            elif following in best:
                choices.append((*best[following][:2], following))
        if not is_loop and each.opcode.startswith("EXIT"):
            choices.append((0, 0, None))
        if choices:
            wide, length, following = max(choices, key=lambda choice: choice[:2])
            best[place] = (wide + is_wide(each), length - 1, following)
    path, place = [], start
    while place is not None:
        path.append(body[place])
        place = best[place][2]
    return path, is_loop


def loads_in_flight(path, is_loop, counts):
    """The most loads issued and not yet waited for. A load that is waited for has let all before it arrive."""
    pending, most = [], 0
    for each in path * (2 if is_loop else 1):
        used = [i for i, load in enumerate(pending) if load & (each.reads | each.writes)]
        if used:
            pending = pending[used[-1] + 1:]
        if counts(each) and each.is_load:
            pending.append(each.writes)
            most = max(most, len(pending))
    return most


def read_code(lines):
    """The instructions of a function, and the places of its labels."""
    body, labels = [], {}
    for line in lines:
        if label := re.match(r"(\.L\w+):", line):
            labels[label[1]] = len(body)
        elif instruction := parse(line):
            body.append(instruction)
    return body, {label: min(place, len(body) - 1) for label, place in labels.items()}


def functions(text):
    """The lines of each function."""
    found = collections.defaultdict(list)
    name = None
    for line in text.splitlines():
        if start := re.match(r"\.text\.(\w+):", line):
            name = start[1]
        found[name].append(line)
    return found
