"""Translates PTX, nvcc's assembly, to C++ that runs on the host: an entry becomes a function, a register a variable, a
branch a goto. Every access to memory goes through `Thread` of machine.h, which checks it.

    ptx_to_cpp.py [--only REGEX]... [--mutants] PTX CPP

--only: entries whose demangled name has the expression, of which at least one has to match; none: all of them.
--mutants: instead of the entries as they are, each mutant of mutants.py.

An instruction that is not known here stops the translation with its text. Where the manual (PTX ISA 9.0) leaves the
result of an approximate instruction open within a bound, machine.h says which of the allowed ones it gives.
"""
import argparse
import re
import subprocess
import sys

TYPES = {"f32": "float", "f64": "double", "pred": "bool"}
for bits in (8, 16, 32, 64):
    TYPES |= {f"s{bits}": f"std::int{bits}_t", f"u{bits}": f"std::uint{bits}_t", f"b{bits}": f"std::uint{bits}_t"}
SIZES = {"f32": 4, "f64": 8} | {f"{kind}{bits}": bits // 8 for kind in "sub" for bits in (8, 16, 32, 64)}
COMPARE = {"eq": "==", "ne": "!=", "lt": "<", "le": "<=", "gt": ">", "ge": ">=", "lo": "<", "ls": "<=", "hi": ">",
           "hs": ">="}
# How memory is cached, which changes no value.
CACHING = {"ca", "cg", "cs", "lu", "cv", "wb", "wt", "nc"}
SPECIAL = {"%tid.x": "t.thread", "%ctaid.x": "t.block_x", "%ctaid.y": "t.block_y", "%nctaid.x": "t.blocks_x",
           "%nctaid.y": "t.blocks_y", "%ntid.x": "256U"}


def unknown(text):
    sys.exit(f"ptx_to_cpp: unknown instruction: {text}")


def unsigned(kind):
    return "b" + kind[1:] if kind[0] in "sb" else kind


def statements(body):
    """Labels, braces and instructions in their order."""
    body = re.sub(r"//[^\n]*", "", body)
    at = re.compile(r"\s*(?:(?P<brace>[{}])|(?P<label>[$\w]+):(?!:)|(?P<text>[^;{}]*(?:\{[^}]*\}[^;{}]*)*);)")
    place = 0
    while body[place:].strip():
        match = at.match(body, place)
        if not match:
            unknown(body[place:place + 80])
        yield match
        place = match.end()


class Function:
    """One entry or function."""

    def __init__(self, name, parameters, results, body, symbols):
        self.name = name
        self.symbols = dict(symbols)  # what names of memory are in C++
        self.registers = {}  # their C++ types, of a name or of the names that start so
        self.inner = []  # the same of the blocks inside
        self.declared = set()
        self.lines = []
        self.shared = 0
        self.waits = False
        for i, parameter in enumerate(parameters):
            self.symbols[parameter] = f"parameters[{i}]"
        for i, result in enumerate(results):
            self.symbols[result] = f"results[{i}]"
        for each in statements(body):
            if each["brace"]:
                self.lines.append(each["brace"])
                self.inner = self.inner + [{}] if each["brace"] == "{" else self.inner[:-1]
            elif each["label"]:
                self.lines.append(f"{self.label(each['label'])}:;")
            else:
                self.statement(" ".join(each["text"].split()))

    @staticmethod
    def label(name):
        return name.replace("$", "")

    def statement(self, text):
        self.text = text
        if text.startswith("."):
            self.directive(text)
            return
        guard = re.match(r"@(!?)%(\w+) ", text)
        if guard:
            text = text[guard.end():]
        opcode, _, rest = text.partition(" ")
        operands = [each.strip() for each in re.findall(r"(?:\{[^}]*\}|\[[^\]]*\]|\([^)]*\)|[^,])+", rest)]
        code = self.instruction(opcode.split("."), [each for each in operands if each])
        self.lines.append(f"if ({guard[1]}{guard[2]}) {{ {code} }}" if guard else code)

    def directive(self, text):
        if match := re.fullmatch(r"\.reg \.(\w+) (.*)", text):
            kind = TYPES.get(match[1]) or unknown(text)
            for name in match[2].split(","):
                name = re.sub(r"<\d+>", "", name).strip(" %")
                (self.inner[-1] if self.inner else self.registers)[name] = kind
                if self.inner:
                    self.lines.append(f"[[maybe_unused]] {kind} {name} = {{}};")
        elif match := re.fullmatch(r"\.local \.align (\d+) \.b8 (\w+)\[(\d+)\]", text):
            self.lines.append(f"alignas({match[1]}) std::byte depot[{match[3]}];")
            self.symbols[match[2]] = "address(depot)"
        elif match := re.fullmatch(r"\.shared \.align (\d+) \.b8 (\w+)\[(\d+)\]", text):
            align = int(match[1])
            self.shared = (self.shared + align - 1) // align * align
            self.symbols[match[2]] = str(self.shared)
            self.shared += int(match[3])
        elif match := re.fullmatch(r"\.param (?:\.align \d+ )?\.b(\d+) (\w+)(?:\[(\d+)\])?", text):
            self.lines.append(f"alignas(16) std::byte {match[2]}[{match[3] or int(match[1]) // 8}];")
            self.symbols[match[2]] = match[2]
        elif not text.startswith((".loc", ".pragma")):
            unknown(text)

    def register(self, operand):
        """The variable of a register, and its C++ type; or nothing."""
        if not (match := re.fullmatch(r"%((\w*?)\d*)", operand)):
            return None
        for block in reversed(self.inner):
            if match[1] in block:
                return match[1], block[match[1]]
        kind = self.registers.get(match[1]) or self.registers.get(match[2])
        if kind is None:
            unknown(self.text)
        self.declared.add(match[1])
        return match[1], kind

    def value(self, operand, kind):
        """An operand as a C++ expression of the PTX type `kind`."""
        to = TYPES[kind]
        if operand in SPECIAL:
            return f"{to}({SPECIAL[operand]})"
        if found := self.register(operand):
            name, of = found
            if of == to:
                return name
            return f"{to}({name})" if "int" in of and "int" in to else f"as<{to}>({name})"
        if match := re.fullmatch(r"0[fF]([0-9A-Fa-f]{8})|0[dD]([0-9A-Fa-f]{16})", operand):
            return f"as<{to}>({'0x' + match[1] + 'U' if match[1] else '0x' + match[2] + 'ULL'})"
        if re.fullmatch(r"-?(0x[0-9A-Fa-f]+|\d+)U?", operand):
            return f"{to}({operand.rstrip('U')}ULL)"
        if operand in self.symbols and kind in ("b64", "u64", "s64", "b32", "u32"):
            name = self.symbols[operand]
            return f"{to}({'address(' + name + ')' if name.startswith('parameters') else name})"
        return unknown(self.text)

    def give(self, operand, kind, expression):
        """The assignment of an expression of the PTX type `kind` to a register."""
        if operand == "_":
            return f"(void)({expression});"
        name, of = self.register(operand) or unknown(self.text)
        if of == TYPES[kind]:
            return f"{name} = {expression};"
        if "int" in of and "int" in TYPES[kind]:
            return f"{name} = {of}({TYPES[kind]}({expression}));"
        return f"{name} = as<{of}>({TYPES[kind]}({expression}));"

    def instruction(self, parts, operands):
        base, modifiers = parts[0], parts[1:]
        method = getattr(self, f"do_{base}", None)
        if method is None:
            unknown(self.text)
        return method(modifiers, operands)

    def only(self, modifiers, allowed):
        if not set(modifiers) <= set(allowed):
            unknown(self.text)

    # Memory.

    def place(self, operand):
        """The space-independent parts of an address: its base and its offset."""
        match = re.fullmatch(r"\[([%$\w]+)(?:\+(-?\d+))?\]", operand) or unknown(self.text)
        return match[1], match[2] or "0"

    def memory(self, modifiers, names, operand, verb):
        space, kind = modifiers[0], modifiers[-1]
        others = [each for each in modifiers[1:-1] if each not in CACHING and not re.match(r"L[12]::", each)]
        if kind not in SIZES or space not in ("global", "shared", "local", "param") or len(others) > 1:
            unknown(self.text)
        registers = re.findall(r"[%\w.]+", names)
        if len(registers) != (int(others[0][1:]) if others else 1):
            unknown(self.text)
        base, offset = self.place(operand)
        if verb == "load":
            values = ", ".join((self.register(each) or unknown(self.text))[0] for each in registers)
        else:
            values = ", ".join(self.value(each, kind) for each in registers)
        if space == "param":
            if base in self.symbols:
                return f"{verb}_parameter<{TYPES[kind]}>({self.symbols[base]} + {offset}, {values});"
            if verb == "store":
                unknown(self.text)
        where = f"{self.value(base, 'u64')} + {offset}"
        depot = "depot, sizeof(depot), " if space == "local" else ""
        return f"t.{verb}_{space}<{TYPES[kind]}>({depot}{where}, {values});"

    def do_ld(self, modifiers, operands):
        return self.memory(modifiers, operands[0], operands[1], "load")

    def do_st(self, modifiers, operands):
        return self.memory(modifiers, operands[1], operands[0], "store")

    def do_cvta(self, modifiers, operands):
        if modifiers[:1] == ["to"]:
            modifiers = modifiers[1:]
        if modifiers[0] not in ("global", "local", "param") or modifiers[1] != "u64":
            unknown(self.text)
        return self.give(operands[0], "u64", self.value(operands[1], "u64"))

    def do_mov(self, modifiers, operands):
        kind, = modifiers
        halves = [each.strip("{} ").split(",") if each.startswith("{") else None for each in operands]
        if halves[0]:
            part = f"b{8 * SIZES[kind] // len(halves[0])}"
            return " ".join(self.give(name.strip(), part, f"part<{TYPES[part]}>({self.value(operands[1], kind)}, {i})")
                            for i, name in enumerate(halves[0]))
        if halves[1]:
            part = f"b{8 * SIZES[kind] // len(halves[1])}"
            values = ", ".join(self.value(name.strip(), part) for name in halves[1])
            return self.give(operands[0], kind, f"joined<{TYPES[kind]}>({values})")
        return self.give(operands[0], kind, self.value(operands[1], kind))

    # Control.

    def do_bra(self, modifiers, operands):
        self.only(modifiers, ["uni"])
        return f"goto {self.label(operands[0])};"

    def do_ret(self, modifiers, operands):
        return "return;"

    do_exit = do_ret

    def do_bar(self, modifiers, operands):
        if modifiers not in (["sync"], ["sync", "aligned"]) or operands != ["0"]:
            unknown(self.text)
        return "t.synchronize();"

    do_barrier = do_bar

    def do_griddepcontrol(self, modifiers, operands):
        if modifiers == ["wait"]:
            self.waits = True
            return "t.wait();"
        self.only(modifiers, ["launch_dependents"])
        return ";"

    def do_call(self, modifiers, operands):
        self.only(modifiers, ["uni"])
        lists = [each.strip("() ").split(",") if each.startswith("(") else each for each in operands]
        results = lists.pop(0) if isinstance(lists[0], list) else []
        name = lists[0]
        arguments = lists[1] if len(lists) > 1 else []

        def array(names):
            names = [each.strip() for each in names if each.strip()]
            return "{" + ", ".join(self.symbols[each] for each in names) + "}" if names else "{nullptr}"
        return (f"{{ std::byte* const results_[] = {array(results)}; std::byte* const parameters_[] = "
                f"{array(arguments)}; f_{name}(t, results_, parameters_); }}")

    # Integers and numbers.

    def binary(self, symbol, kind, operands):
        kind = unsigned(kind)
        a, b = (self.value(each, kind) for each in operands[1:])
        expression = f"{a} {symbol} {b}"
        return self.give(operands[0], kind, expression if kind in ("f32", "f64") else f"{TYPES[kind]}({expression})")

    def rounded(self, name, modifiers, operands):
        """A function of machine.h that rounds: to nearest, or as the modifiers say."""
        kind = modifiers[-1]
        if kind not in ("f32", "f64"):
            return None
        self.only(modifiers[:-1], ["rn", "rz", "rm", "rp", "ftz", "sat"])
        values = [self.value(each, kind) for each in operands[1:]]
        if "ftz" in modifiers:
            values = [f"flushed({each})" for each in values]
        direction = next((each for each in modifiers if each in ("rz", "rm", "rp")), None)
        expression = f"{name}({', '.join(values)})"
        if direction:
            expression = f"rounded_{direction}([&] {{ return {name}_exactly({', '.join(values)}); }})"
            unknown(self.text) if name != "fma" else None
            expression = f"fma_{direction}({', '.join(values)})"
        if "ftz" in modifiers:
            expression = f"flushed({expression})"
        if "sat" in modifiers:
            expression = f"saturated({expression})"
        return self.give(operands[0], kind, expression)

    def carries(self, name, modifiers, operands):
        kind = unsigned("b" + modifiers[-1][1:])
        values = ", ".join(self.value(each, kind) for each in operands[1:])
        return self.give(operands[0], kind, f"{name}<{TYPES[kind]}>({values}, carry, {str('cc' in modifiers).lower()})")

    def do_add(self, modifiers, operands):
        if "cc" in modifiers:
            return self.carries("add_carry_out", modifiers, operands)
        return self.rounded("add", modifiers, operands) or self.binary("+", self.integer(modifiers), operands)

    def do_sub(self, modifiers, operands):
        if "cc" in modifiers:
            return self.carries("subtract_borrow_out", modifiers, operands)
        return self.rounded("subtract", modifiers, operands) or self.binary("-", self.integer(modifiers), operands)

    def do_addc(self, modifiers, operands):
        return self.carries("add_carry_in", modifiers, operands)

    def do_subc(self, modifiers, operands):
        return self.carries("subtract_borrow_in", modifiers, operands)

    def do_madc(self, modifiers, operands):
        return self.product(modifiers, operands, "in")

    def integer(self, modifiers):
        if len(modifiers) != 1 or modifiers[0] not in SIZES or modifiers[0][0] == "f":
            unknown(self.text)
        return unsigned("b" + modifiers[0][1:])

    def product(self, modifiers, operands, carry=""):
        """mul, mad and madc of integers: the low or the high half, or both."""
        part, kind = modifiers[0], modifiers[-1]
        a, b = (self.value(each, kind) for each in operands[1:3])
        if part == "wide":
            result = kind[0] + str(16 * SIZES[kind])
            expression = f"{TYPES[result]}({a}) * {TYPES[result]}({b})"
        elif part == "hi":
            result, expression = kind, f"high_product({a}, {b})"
        elif part == "lo":
            result = "b" + kind[1:]
            expression = f"low_product({self.value(operands[1], result)}, {self.value(operands[2], result)})"
        else:
            unknown(self.text)
        result = unsigned("b" + result[1:])
        expression = f"{TYPES[result]}({expression})"
        if len(operands) == 4:
            c = self.value(operands[3], result)
            if carry or "cc" in modifiers:
                expression = (f"add_carry_{carry or 'out'}<{TYPES[result]}>({expression}, {c}, carry, "
                              f"{str('cc' in modifiers).lower()})")
            else:
                expression = f"{TYPES[result]}({expression} + {c})"
        return self.give(operands[0], ("s" if kind[0] == "s" else "u") + result[1:], expression)

    def do_mul(self, modifiers, operands):
        return self.rounded("multiply", modifiers, operands) or self.product(modifiers, operands)

    def do_mad(self, modifiers, operands):
        if modifiers[-1] in ("f32", "f64"):
            return self.do_fma(modifiers, operands)
        return self.product(modifiers, operands)

    def do_fma(self, modifiers, operands):
        return self.rounded("fma", modifiers, operands) or unknown(self.text)

    def do_div(self, modifiers, operands):
        if modifiers[0] in ("full", "approx"):
            return self.rounded("divide", ["rn", *modifiers[1:]], operands) or unknown(self.text)
        if modifiers[-1][0] == "f":
            return self.rounded("divide", modifiers, operands)
        return self.binary_as_is("/", modifiers, operands)

    def do_rem(self, modifiers, operands):
        return self.binary_as_is("%", modifiers, operands)

    def binary_as_is(self, symbol, modifiers, operands):
        kind, = modifiers
        a, b = (self.value(each, kind) for each in operands[1:])
        return self.give(operands[0], kind, f"{a} {symbol} {b}")

    def unary(self, name, modifiers, operands):
        """A function of machine.h of one number, approximate or rounded."""
        if modifiers[0] == "approx":
            name, modifiers = f"{name}_approx", ["rn", *modifiers[1:]]
        return self.rounded(name, modifiers, operands) or unknown(self.text)

    def do_rcp(self, modifiers, operands):
        return self.unary("reciprocal", modifiers, operands)

    def do_sqrt(self, modifiers, operands):
        return self.unary("square_root", modifiers, operands)

    def do_rsqrt(self, modifiers, operands):
        return self.unary("rsqrt", modifiers, operands)

    def do_ex2(self, modifiers, operands):
        return self.unary("ex2", modifiers, operands)

    def do_lg2(self, modifiers, operands):
        return self.unary("lg2", modifiers, operands)

    def do_sin(self, modifiers, operands):
        return self.unary("sin", modifiers, operands)

    def do_cos(self, modifiers, operands):
        return self.unary("cos", modifiers, operands)

    def do_tanh(self, modifiers, operands):
        return self.unary("tanh", modifiers, operands)

    def do_abs(self, modifiers, operands):
        self.only(modifiers[:-1], ["ftz"])
        kind = modifiers[-1]
        value = self.value(operands[1], kind)
        return self.give(operands[0], kind, f"magnitude({'flushed(' + value + ')' if 'ftz' in modifiers else value})")

    def do_neg(self, modifiers, operands):
        self.only(modifiers[:-1], ["ftz"])
        kind = modifiers[-1]
        if kind[0] == "f":
            value = self.value(operands[1], kind)
            return self.give(operands[0], kind, f"-{'flushed(' + value + ')' if 'ftz' in modifiers else value}")
        kind = "u" + kind[1:]
        return self.give(operands[0], kind, f"{TYPES[kind]}(0U - {self.value(operands[1], kind)})")

    def extreme(self, name, modifiers, operands):
        self.only(modifiers[:-1], ["NaN", "ftz"])
        kind = modifiers[-1]
        values = [self.value(each, kind) for each in operands[1:]]
        if "ftz" in modifiers:
            values = [f"flushed({each})" for each in values]
        return self.give(operands[0], kind, f"{name}{'_or_nan' if 'NaN' in modifiers else ''}({', '.join(values)})")

    def do_min(self, modifiers, operands):
        return self.extreme("smaller", modifiers, operands)

    def do_max(self, modifiers, operands):
        return self.extreme("larger", modifiers, operands)

    def bitwise(self, symbol, modifiers, operands):
        kind, = modifiers
        a, b = (self.value(each, kind) for each in operands[1:])
        return self.give(operands[0], kind, f"{TYPES[kind]}({a} {symbol} {b})")

    def do_and(self, modifiers, operands):
        return self.bitwise("&", modifiers, operands)

    def do_or(self, modifiers, operands):
        return self.bitwise("|", modifiers, operands)

    def do_xor(self, modifiers, operands):
        return self.bitwise("^", modifiers, operands)

    def do_not(self, modifiers, operands):
        kind, = modifiers
        symbol = "!" if kind == "pred" else "~"
        return self.give(operands[0], kind, f"{TYPES[kind]}({symbol}{self.value(operands[1], kind)})")

    def do_shl(self, modifiers, operands):
        kind, = modifiers
        return self.give(operands[0], kind,
                         f"shifted_left({self.value(operands[1], kind)}, {self.value(operands[2], 'u32')})")

    def do_shr(self, modifiers, operands):
        kind, = modifiers
        return self.give(operands[0], kind,
                         f"shifted_right({self.value(operands[1], kind)}, {self.value(operands[2], 'u32')})")

    def do_bfi(self, modifiers, operands):
        kind, = modifiers
        a, b = (self.value(each, kind) for each in operands[1:3])
        return self.give(operands[0], kind, f"insert_bits({a}, {b}, {self.value(operands[3], 'u32')}, "
                                            f"{self.value(operands[4], 'u32')})")

    def do_bfe(self, modifiers, operands):
        kind, = modifiers
        if kind[0] == "s":
            unknown(self.text)
        return self.give(operands[0], kind, f"extract_bits({self.value(operands[1], kind)}, "
                                            f"{self.value(operands[2], 'u32')}, {self.value(operands[3], 'u32')})")

    def do_clz(self, modifiers, operands):
        return self.give(operands[0], "u32", f"leading_zeros({self.value(operands[1], modifiers[0])})")

    def do_popc(self, modifiers, operands):
        return self.give(operands[0], "u32", f"bits_set({self.value(operands[1], modifiers[0])})")

    def do_prmt(self, modifiers, operands):
        self.only(modifiers, ["b32"])
        values = ", ".join(self.value(each, "b32") for each in operands[1:])
        return self.give(operands[0], "b32", f"permuted({values})")

    def do_lop3(self, modifiers, operands):
        self.only(modifiers, ["b32"])
        values = ", ".join(self.value(each, "b32") for each in operands[1:])
        return self.give(operands[0], "b32", f"any_logic({values})")

    def do_shf(self, modifiers, operands):
        if modifiers not in (["l", "wrap", "b32"], ["r", "wrap", "b32"]):
            unknown(self.text)
        side = "left" if modifiers[0] == "l" else "right"
        values = ", ".join(self.value(each, "b32") for each in operands[1:])
        return self.give(operands[0], "b32", f"funnel_{side}({values})")

    # Comparisons, selections, conversions.

    def do_setp(self, modifiers, operands):
        self.only(modifiers[1:-1], ["ftz", "and", "or", "xor"])
        name, kind = modifiers[0], modifiers[-1]
        a, b = (self.value(each, kind) for each in operands[1:3])
        if "ftz" in modifiers:
            a, b = f"flushed({a})", f"flushed({b})"
        if name in COMPARE:
            result = f"{a} {COMPARE[name]} {b}"
            if name == "ne" and kind[0] == "f":
                result = f"({a} < {b} || {a} > {b})"  # false for NaNs, unlike C++'s
        elif name[-1] == "u" and name[:-1] in COMPARE and kind[0] == "f":
            result = f"is_unordered({a}, {b}) || {a} {COMPARE[name[:-1]]} {b}"
        elif name in ("num", "nan") and kind[0] == "f":
            result = f"{'!' if name == 'num' else ''}is_unordered({a}, {b})"
        else:
            unknown(self.text)
        logic = next((each for each in modifiers[1:-1] if each != "ftz"), None)
        names = operands[0].split("|")
        code = f"const bool c_ = {result};"
        if logic:
            inverted = operands[3].startswith("!")
            c = self.value(operands[3].lstrip("!"), "pred")
            symbol = {"and": "&&", "or": "||", "xor": "!="}[logic]
            last = f"({'!' if inverted else ''}{c})"
            values = [f"c_ {symbol} {last}", f"!c_ {symbol} {last}"]
        else:
            values = ["c_", "!c_"]
        return f"{{ {code} {' '.join(self.give(name, 'pred', value) for name, value in zip(names, values))} }}"

    def do_selp(self, modifiers, operands):
        kind, = modifiers
        a, b = (self.value(each, kind) for each in operands[1:3])
        return self.give(operands[0], kind, f"{self.value(operands[3], 'pred')} ? {a} : {b}")

    def do_cvt(self, modifiers, operands):
        to, of = modifiers[-2:]
        how = modifiers[:-2]
        self.only(how, ["rn", "rz", "rni", "rzi", "rmi", "rpi", "ftz", "sat"])
        rounding = next((each for each in how if each not in ("ftz", "sat")), None)
        if to in ("f16x2", "bf16x2") and of == "f32" and rounding == "rn":
            high, low = (f"to_{to[:-2]}({self.value(each, 'f32')})" for each in operands[1:])
            return self.give(operands[0], "b32", f"joined<std::uint32_t>({low}, {high})")
        if to in ("f16", "bf16") and of == "f32" and rounding == "rn":
            return self.give(operands[0], "b16", f"to_{to}({self.value(operands[1], 'f32')})")
        if of in ("f16", "bf16") and to == "f32":
            return self.give(operands[0], "f32", f"from_{of}({self.value(operands[1], 'b16')})")
        if of not in SIZES or to not in SIZES:
            unknown(self.text)
        value = self.value(operands[1], of)
        if "ftz" in how:
            value = f"flushed({value})"
        floats = ("f32", "f64")
        if of in floats and (to not in floats or rounding in ("rni", "rzi", "rmi", "rpi")):
            value = f"to_whole_{rounding}({value})"
            if to not in floats:
                value = f"to_integer<{TYPES[to]}>({value})"
        elif rounding not in (None, "rn"):
            unknown(self.text)
        if "sat" in how:
            if to not in floats:
                unknown(self.text)
            value = f"saturated({value})"
        return self.give(operands[0], to, f"{TYPES[to]}({value})")

    # The function in C++.

    def declarations(self):
        for name in sorted(self.declared):
            kind = self.registers.get(name) or self.registers[re.fullmatch(r"(\w*?)\d*", name)[1]]
            yield f"[[maybe_unused]] {kind} {name} = {{}};"

    def code(self, name):
        body = "\n".join(["[[maybe_unused]] bool carry = false;", *self.declarations(), *self.lines])
        return (f"static void {name}([[maybe_unused]] Thread t, [[maybe_unused]] std::byte* const* results, "
                f"[[maybe_unused]] std::byte* const* parameters) {{\n{body}\n}}\n")


HEAD = re.compile(r"^(?:\.visible |\.weak )?\.(entry|func)\s+(?:\((?P<results>[^)]*)\)\s*)?(?P<name>\w+)\s*"
                  r"\((?P<parameters>[^)]*)\)[^{;]*(?P<end>[{;])", re.M)


def functions(text):
    """Kind, name, head and body of each function that has a body."""
    for head in HEAD.finditer(text):
        if head["end"] == "{":
            yield head, text[head.end():re.compile(r"^\}", re.M).search(text, head.end()).start()]


def names_of(parameters):
    return re.findall(r"(\w+)(?:\[\d+\])?\s*(?:,|$)", parameters or "")


def tables(text):
    """Constants that lie in memory, as C++, and their names."""
    code, names = [], {}
    for align, name, size, values in re.findall(
            r"^\.(?:visible )?(?:global|const) \.align (\d+) \.b8 (\w+)\[(\d+)\] = \{([^}]*)\};", text, re.M):
        code.append(f"alignas({align}) static const unsigned char {name}[{size}] = {{{values}}};\n"
                    f"[[maybe_unused]] static const bool {name}_known = add_table({name}, {size});\n")
        names[name] = f"address({name})"
    return "".join(code), names


def demangled(names):
    return subprocess.run(["c++filt"], input="\n".join(names), text=True, check=True,
                          stdout=subprocess.PIPE).stdout.splitlines()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", action="append", default=[])
    parser.add_argument("--mutants", action="store_true")
    parser.add_argument("ptx")
    parser.add_argument("cpp")
    given = parser.parse_args()
    with open(given.ptx, encoding="utf-8") as file:
        text = file.read()
    constants, symbols = tables(text)
    found = list(functions(text))
    readable = dict(zip([head["name"] for head, _ in found], demangled([head["name"] for head, _ in found])))
    out = ["// Made by ptx_to_cpp.py.\n#include \"machine.h\"\n\nnamespace tests::ptx {\nnamespace {\n\n", constants]
    entries = []
    for head, body in sorted(found, key=lambda each: each[0][1] == "entry"):
        name = head["name"]
        arguments = names_of(head["parameters"]), names_of(head["results"])
        if head[1] == "func":
            out.append(Function(name, *arguments, body, symbols).code(f"f_{name}"))
            continue
        if given.only and not any(re.search(each, readable[name]) for each in given.only):
            continue
        if given.mutants:
            from mutants import mutants_of
            for mutant, changed in mutants_of(readable[name], body):
                function = Function(name, *arguments, changed, symbols)
                out.append(function.code(f"mutant_{len(entries)}"))
                entries.append((name, f"mutant_{len(entries)}", f"{mutant}", function))
        else:
            function = Function(name, *arguments, body, symbols)
            out.append(function.code(f"entry_{len(entries)}"))
            entries.append((name, f"entry_{len(entries)}", readable[name].split("(")[0], function))
    if not entries:
        sys.exit("ptx_to_cpp: no entry is chosen")
    out.append("} // namespace\n} // namespace tests::ptx\n\n// The kernels as this compiler has them, by which "
               "a launch finds its entry.\n")
    for name in sorted({each[0] for each in entries}):
        out.append(f'extern "C" void {name}() __attribute__((weak));\n')
    out.append("\nnamespace tests::ptx {\nnamespace {\n[[maybe_unused]] const bool known[] = {\n")
    for name, code, label, function in entries:
        out.append(f'add_entry({{reinterpret_cast<const void*>(&::{name}), &{code}, "{label}", {function.shared}, '
                   f'{str(function.waits).lower()}, {str(given.mutants).lower()}}}),\n')
    out.append("};\n} // namespace\n} // namespace tests::ptx\n")
    with open(given.cpp, "w", encoding="utf-8") as file:
        file.writelines(out)


if __name__ == "__main__":
    main()
