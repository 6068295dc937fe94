"""What the instructions of PTX that compute are in C++. ptx_to_cpp.py has those of memory and of control."""
import sys

TYPES = {"f32": "float", "f64": "double", "pred": "bool"}
for bits in (8, 16, 32, 64):
    TYPES |= {f"s{bits}": f"std::int{bits}_t", f"u{bits}": f"std::uint{bits}_t", f"b{bits}": f"std::uint{bits}_t"}
SIZES = {"f32": 4, "f64": 8} | {f"{kind}{bits}": bits // 8 for kind in "sub" for bits in (8, 16, 32, 64)}
COMPARE = {"eq": "==", "ne": "!=", "lt": "<", "le": "<=", "gt": ">", "ge": ">=", "lo": "<", "ls": "<=", "hi": ">",
           "hs": ">="}


def unknown(text):
    sys.exit(f"ptx_to_cpp: unknown instruction: {text}")


def unsigned(kind):
    return "b" + kind[1:] if kind[0] in "sb" else kind


class Arithmetic:
    """One method an instruction, called with its modifiers and operands, gives its C++. A class that derives from it has
    `text`, `value()`, `give()` and `only()`."""

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
            # As a fused operation that has the same exact result.
            zero = "0.0F" if direction == "rm" else "-0.0F"
            of = {"fma": values, "add": [values[0], "1.0F", values[-1]], "multiply": [*values[:2], zero],
                  "subtract": [values[0], "1.0F", f"-{values[-1]}"]}
            if name not in of or kind != "f32":
                unknown(self.text)
            expression = f"fma_{direction}({', '.join(of[name])})"
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
